/// What grows with traffic: counts since a start, or how fast they grow.
struct TrafficCounts<Number: AdditiveArithmetic & Codable & Sendable>: Codable, Sendable, Equatable {
    var connects = Number.zero
    /// Of clients, in all namespaces.
    var eventsIn = Number.zero
    /// Deliveries: an event for three connections counts three times.
    var eventsOut = Number.zero
    /// Of Socket.IO packets, without what the transport adds.
    var bytesIn = Number.zero
    var bytesOut = Number.zero
    var actions = Number.zero

    mutating func add(_ other: Self) { self = self.map(with: other, +) }

    /// Makes something of each count and the same one of the other.
    func map<Other, Result>(
        with other: TrafficCounts<Other>, _ body: (Number, Other) -> Result
    ) -> TrafficCounts<Result> {
        TrafficCounts<Result>(
            connects: body(self.connects, other.connects), eventsIn: body(self.eventsIn, other.eventsIn),
            eventsOut: body(self.eventsOut, other.eventsOut), bytesIn: body(self.bytesIn, other.bytesIn),
            bytesOut: body(self.bytesOut, other.bytesOut), actions: body(self.actions, other.actions))
    }
}
