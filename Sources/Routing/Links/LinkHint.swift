package import Wire

/// What a route document knows of a Link of its user (SPEC LC-1 `links`, LK-5): that there may be one.
package struct LinkHint: Sendable, Equatable {
    package let key: LinkKey
    /// Of the opening that wrote it: what is removed for an older one is not this.
    package var generation: Int64
    /// The client whose party it is; nil: the user's.
    package let client: String?
    /// While the party has no connection: when the Link is to be closed, in milliseconds of the primary's clock (SPEC LK-13).
    package var due: Int64?
    /// What it is closed for then.
    package var reason: LinkCloseReason?

    package init(
        key: LinkKey, generation: Int64, client: String?, due: Int64? = nil, reason: LinkCloseReason? = nil
    ) {
        self.key = key
        self.generation = generation
        self.client = client
        self.due = due
        self.reason = reason
    }

    func isPlace(of other: LinkHint) -> Bool { self.key == other.key && self.client == other.client }
}
