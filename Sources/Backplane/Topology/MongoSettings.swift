package import Wire

/// Which MongoDB, and what things are called there.
package struct MongoSettings: Sendable {
    /// The replica set, or the routers of the sharded cluster.
    package var uri: String
    package var database: String
    /// Replica sets for the bus alone (SPEC ND-10); empty: the bus lives with the data.
    package var busURIs: [String]
    /// Inbox slots per shard or bus set (SPEC ND-6). Nodes that share one cost speed only.
    package var slots: Int
    /// Size of a slot's capped collection in bytes.
    package var slotSize: Int
    /// Size in bytes of the recovery log of each shard, fixed when it is made; nil while connection state recovery is off:
    /// then none is made. 512 MiB (``defaultRecoveryLog``) hold about 3 million events of 40 bytes.
    package var recoveryLog: Int?
    /// Chunks per shard that a new collection begins with.
    package var chunksPerShard: Int
    /// How long traces are kept. 1 h.
    package var traceSeconds = 3_600
    package var collections: Collections
    package var appName: String
    /// Of what is stored and sent; only tests of two versions set it.
    package var formats = Formats.current

    /// Names of the collections in ``database``, and of those in the bus databases. None is the end of another one, so that no
    /// two prefixes make the same name of two of them.
    package struct Collections: Sendable, Equatable {
        package var sessions = "Sessions"
        package var routes = "Routes"
        package var links = "Links"
        package var nodes = "Nodes"
        package var tickets = "Tickets"
        package var traces = "Traces"
        /// Documents of applications (docs/outbox.md).
        package var outbox = "Outbox"
        package var outboxLanes = "OutboxLanes"
        package var answers = "Answers"
        package var domains = "Domains"
        let recovery: String
        private let prefix: String

        package init(prefix: String = "") {
            self.prefix = prefix
            self.recovery = prefix + "recovery"
            self.sessions = prefix + self.sessions
            self.routes = prefix + self.routes
            self.links = prefix + self.links
            self.nodes = prefix + self.nodes
            self.tickets = prefix + self.tickets
            self.traces = prefix + self.traces
            self.outbox = prefix + self.outbox
            self.outboxLanes = prefix + self.outboxLanes
            self.answers = prefix + self.answers
            self.domains = prefix + self.domains
        }

        func slot(_ number: Int) -> String { "\(self.prefix)slot\(number)" }

        var all: [String] {
            [
                self.sessions, self.routes, self.links, self.nodes, self.tickets, self.traces, self.outbox,
                self.outboxLanes, self.answers, self.domains,
            ]
        }
    }

    /// - Parameter prefix: put before the names of all collections.
    package init(uri: String, database: String = Self.defaultDatabase, prefix: String = "") {
        self.uri = uri
        self.database = database
        self.busURIs = []
        self.slots = 8
        self.slotSize = 256 << 20
        self.recoveryLog = nil
        self.chunksPerShard = 4
        self.collections = Collections(prefix: prefix)
        self.appName = "submergence"
    }

    /// The bus database of a set of its own (a plain replica set, or one of ``busURIs``).
    var busDatabase: String { "\(self.database)_bus" }

    /// The bus database of one shard. MongoDB takes 63 bytes, and not every character that a shard's name may have.
    func busDatabase(shard: String) -> String {
        let name = "\(self.database)_bus_\(shard)"
        let isPlain = shard.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
        if isPlain, name.utf8.count <= 63 { return name }
        return "\(self.database)_bus_\(String(UInt64(bitPattern: HashedKey.hash(shard)), radix: 16))"
    }

    package static let defaultDatabase = "submergence"
    package static let defaultRecoveryLog = 512 << 20
}
