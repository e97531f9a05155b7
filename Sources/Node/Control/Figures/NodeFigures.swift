/// What a node says of itself to operators: bounded, and of now (`GET /v1/cluster`). Other nodes send theirs as this, too; what
/// a newer one says beyond it is ignored.
struct NodeFigures: Codable, Sendable, Equatable {
    struct Loop: Codable, Sendable, Equatable {
        var number: Int
        /// Engine.IO sessions; like what follows nil where one domain is asked about.
        var sessions: Int?
        var connections: Int?
        var users: Int?
        /// Milliseconds by which its tick was late at worst within the last second.
        var lag: Double
    }

    /// One inbox of the node.
    struct Home: Codable, Sendable, Equatable {
        /// `shard/slot4`.
        var home: String
        /// How it is read: `stream`, `cursor` or `loopback`.
        var mode: String
        /// Milliseconds from publishing to delivery, of the newest probe; nil before the first.
        var latency: Double?
        /// Milliseconds since that probe; nil before the first.
        var age: Double?
    }

    struct Shard: Codable, Sendable, Equatable {
        var name: String
        /// Connects that wait for it or are in flight.
        var pending: Int
        /// Milliseconds of the slowest route write within the last second; 0: there was none.
        var latency: Double
    }

    var id: String
    var name: String?
    var version: String
    var address: String?
    /// As in ``StatusAnswer/Node/state``.
    var state: String
    /// Milliseconds since 1970.
    var started: Int64
    /// `held`, `leaving`, `fenced`, `silenced` or `isolated` (SPEC ND-3).
    var lease: String
    /// Why it takes no new connections; empty when it does.
    var unready: [String]
    /// Of all domains, or of the one that is asked about.
    var traffic: TrafficFigures
    /// By configured domain, and `other`.
    var domains: [String: TrafficFigures]
    var loops: [Loop]
    /// Engine.IO sessions; nil where one domain is asked about, as they belong to none yet.
    var sessions: Int?
    var rooms: Int?
    /// Connects that are being authenticated or committed.
    var pending: Int?
    /// Connects a second that it says it can take.
    var intake: Int?
    var homes: [Home]
    /// Times since its start that messages of the bus were lost.
    var gaps: Int
    var shards: [Shard]
    /// Newest first; nil where one domain is asked about.
    var problems: [Problem]?

    /// What somebody may see who answers for one domain only.
    func restricted(to domain: String) -> NodeFigures {
        var figures = self
        figures.traffic = self.domains[domain] ?? TrafficFigures(DomainTraffic(), TrafficCounts())
        figures.domains = [domain: figures.traffic]
        figures.loops = self.loops.map { loop in
            Loop(number: loop.number, sessions: nil, connections: nil, users: nil, lag: loop.lag)
        }
        figures.sessions = nil
        figures.rooms = nil
        figures.pending = nil
        figures.problems = nil
        return figures
    }
}
