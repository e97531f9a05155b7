/// What the loops of a node have said of themselves: a second old at most.
struct LiveFigures: Sendable {
    struct Loop: Sendable, Equatable {
        var number: Int
        /// Engine.IO sessions.
        var sessions: Int
        var connections: Int
        var users: Int
        /// Nanoseconds by which a tick was late at worst since the sample before.
        var lag: Int64
    }

    var loops: [Loop] = []
    /// By the domain's number.
    var traffic: [DomainTraffic]
    var rates = TrafficRates()
    var rooms = 0
    var pending = 0

    init(domains: DomainSlots) {
        self.traffic = Array(repeating: DomainTraffic(), count: domains.count)
    }

    var connections: Int { self.loops.reduce(0) { $0 + $1.connections } }
    /// Each once, on however many loops.
    var users: Int { self.traffic.reduce(0) { $0 + $1.users } }
}
