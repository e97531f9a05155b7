/// What one step of a route with Links did to them: for the node that committed it.
package struct LinkChanges: Sendable, Equatable {
    /// Connections that came, or were there already when their connect was applied again.
    package var arrivals: [RouteDocument.Connection] = []
    /// Connections that went.
    package var departures: [RouteDocument.Connection] = []
    /// Links that this node is to close now. Their hints have a new deadline, for the case that it does not get that far.
    package var closings: [LinkHint] = []

    package init() {}

    package var isEmpty: Bool { self.arrivals.isEmpty && self.departures.isEmpty && self.closings.isEmpty }
}
