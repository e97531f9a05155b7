/// Traffic of a node or of one domain on it: what is open now, totals since the node's start, and rates over the last five
/// seconds.
struct TrafficFigures: Codable, Sendable, Equatable {
    var connections: Int
    /// With a connection on this node, each once.
    var users: Int
    var connects: Int
    /// Events of clients.
    var eventsIn: Int
    /// Deliveries of events to connections.
    var eventsOut: Int
    /// Bytes of Socket.IO packets.
    var bytesIn: Int
    var bytesOut: Int
    var actions: Int
    var perSecond: TrafficCounts<Double>

    init(_ traffic: DomainTraffic, _ rate: TrafficCounts<Double>) {
        self.connections = traffic.connections
        self.users = traffic.users
        self.connects = traffic.counts.connects
        self.eventsIn = traffic.counts.eventsIn
        self.eventsOut = traffic.counts.eventsOut
        self.bytesIn = traffic.counts.bytesIn
        self.bytesOut = traffic.counts.bytesOut
        self.actions = traffic.counts.actions
        self.perSecond = rate.map(with: rate) { value, _ in (value * 10).rounded() / 10 }
    }
}
