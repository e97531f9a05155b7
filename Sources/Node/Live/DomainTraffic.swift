/// What one domain has had on a loop or a node since it started. Connections and users are those of now.
struct DomainTraffic: Sendable, Equatable {
    var connections = 0
    /// Of a loop: those that it was the first one to have, less those that it was the last one to have; so only the sum over
    /// all loops means anything.
    var users = 0
    var counts = TrafficCounts<Int>()

    mutating func add(_ other: DomainTraffic) {
        self.connections += other.connections
        self.users += other.users
        self.counts.add(other.counts)
    }
}
