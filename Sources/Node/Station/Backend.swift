import Backplane
import Logging
import Routing
import Wire

/// The stores and the bus under a station: in memory, or MongoDB.
struct Backend: Sendable {
    let routes: any RouteStore
    let sessions: any SessionStore
    let registry: any NodeRegistry
    let tickets: any TicketStore
    let links: any LinkStore
    let answers: any AnswerStore
    let domains: any DomainStore
    /// nil while connection state recovery is off.
    let recoveryLog: (any RecoveryLog)?
    /// nil while the outbox is not served.
    let outbox: Outbox?
    /// Whether there can be other nodes at all.
    let isClustered: Bool
    private let kind: Kind

    /// The outbox, and what wakes a node that serves it.
    struct Outbox: Sendable {
        let store: any PostingStore
        let makeWatch: @Sendable (_ poke: @escaping @Sendable () -> Void) -> PostingWatch
        let shutdown: @Sendable () async -> Void
    }

    private enum Kind: Sendable {
        case memory(LoopbackHub)
        case mongo(MongoCluster, BusOptions)
    }

    private init(
        routes: any RouteStore, sessions: any SessionStore, registry: any NodeRegistry,
        tickets: any TicketStore, links: any LinkStore, answers: any AnswerStore, domains: any DomainStore,
        recoveryLog: (any RecoveryLog)?,
        outbox: Outbox? = nil,
        isClustered: Bool, kind: Kind
    ) {
        self.routes = routes
        self.sessions = sessions
        self.registry = registry
        self.tickets = tickets
        self.links = links
        self.answers = answers
        self.domains = domains
        self.recoveryLog = recoveryLog
        self.outbox = outbox
        self.isClustered = isClustered
        self.kind = kind
    }

    static func memory(recovery: Bool = false) -> Backend {
        Backend(
            routes: InMemoryRouteStore(), sessions: InMemorySessionStore(), registry: InMemoryNodeRegistry(),
            tickets: InMemoryTicketStore(), links: InMemoryLinkStore(),
            answers: InMemoryAnswerStore(), domains: InMemoryDomainStore(),
            recoveryLog: recovery ? InMemoryRecoveryLog() : nil, isClustered: false, kind: .memory(LoopbackHub()))
    }

    /// Connects and makes what is missing in the database (`init-db` at start).
    /// - Parameter recovery: whether events are logged for connection state recovery.
    static func mongo(
        _ options: Configuration.Mongo, recovery: Bool = false, logger: Logger
    ) async throws -> Backend {
        let cluster = try await self.open(options, recoveryLog: recovery, logger: logger)
        var bus = BusOptions()
        bus.outbox.keptBytes = options.keptBytes
        bus.formats = options.formats
        bus.tail =
            switch options.tail {
            case .auto: .auto
            case .stream: .stream
            case .cursor: .cursor
            }
        return Backend(
            routes: cluster.routes, sessions: cluster.sessions, registry: cluster.nodes,
            tickets: cluster.tickets, links: cluster.links, answers: cluster.answers,
            domains: cluster.domains,
            recoveryLog: cluster.recoveryLog,
            outbox: try options.outbox.map { try self.outbox($0, cluster, tail: options.tail, logger) },
            isClustered: true, kind: .mongo(cluster, bus))
    }

    private static func outbox(
        _ options: Configuration.Mongo.Outbox, _ cluster: MongoCluster, tail: Configuration.Mongo.Tail, _ logger: Logger
    ) throws -> Outbox {
        let store: MongoPostingStore
        do {
            store = try MongoPostingStore(settings: cluster.settings, keepSeconds: options.keep, logger: logger)
        } catch {
            throw self.explained(error)
        }
        return Outbox(
            store: store,
            makeWatch: { poke in
                PostingWatch(
                    settings: cluster.settings, topology: tail == .cursor ? nil : cluster.topology, poke: poke,
                    logger: logger)
            }, shutdown: { await store.shutdown() })
    }

    static func open(
        _ options: Configuration.Mongo, recoveryLog: Bool, logger: Logger
    ) async throws -> MongoCluster {
        do {
            return try await MongoCluster.open(
                self.settings(options, recoveryLog: recoveryLog), logger: logger)
        } catch {
            throw self.explained(error)
        }
    }

    /// What users of this program must be allowed on that deployment, as a script for `mongosh`.
    static func roles(_ options: Configuration.Mongo, logger: Logger) async throws -> String {
        do {
            return try await MongoCluster.roles(self.settings(options, recoveryLog: false), logger: logger).script
        } catch {
            throw self.explained(error)
        }
    }

    private static func settings(_ options: Configuration.Mongo, recoveryLog: Bool) -> MongoSettings {
        var settings = options.settings
        settings.recoveryLog = recoveryLog ? options.recoveryLogSize : nil
        return settings
    }

    private static func explained(_ error: MongoError) -> StartError {
        guard error.serverCode == MongoError.unauthorized else {
            return StartError(
                "cannot use MongoDB", why: "\(error)",
                remedy: "Check --mongodb, that the servers run MongoDB 6.0 or later, and that this host reaches them.")
        }
        // The server repeats the whole command.
        let end = error.message.firstRange(of: " to execute")?.lowerBound
        let message = error.message[..<(end ?? error.message.endIndex)]
        return StartError(
            "cannot use MongoDB", why: "\(error.operation): \(message)",
            remedy: """
                The user of --mongodb lacks this right: `submergence init-db --print-roles` prints what is needed. If something \
                is to be made there first, run `submergence init-db` with a user that may.
                """)
    }

    /// Writes down what becomes of events at one incarnation; nil where there is nowhere to keep it.
    func tracer(
        for node: NodeRecord, rate: Double, logger: Logger, clock: @escaping @Sendable () -> Int64
    ) -> Tracer? {
        guard case .mongo(let cluster, _) = self.kind else { return nil }
        return Tracer(store: cluster.traces, node: node.label, rate: rate, clock: clock) {
            event, span, written, pending in
            var metadata = Logger.Metadata(span)
            metadata["event"] = "\(event.text)"
            metadata["written"] = "\(written)"
            metadata["pending"] = "\(pending)"
            logger.info("event delivered", metadata: metadata)
        }
    }

    /// What this node reads and writes.
    var formats: Formats {
        if case .mongo(let cluster, _) = self.kind { cluster.settings.formats } else { .current }
    }

    /// The homes of a new incarnation among the nodes that there are (SPEC ND-6).
    func homes(for node: NodeID, among others: [NodeRecord]) -> [NodeRecord.Home] {
        switch self.kind {
        case .memory: [NodeRecord.Home(shard: "memory", slot: 0)]
        case .mongo(let cluster, _): HomeChoice.homes(for: node, topology: cluster.topology.bus, others: others)
        }
    }

    /// Opens the bus for an incarnation: returns once probes come back through both homes (ND-2).
    /// - Returns: the adapter, how each home is tailed, and what has to run beside it.
    func openBus(
        for record: NodeRecord, directory: any NodeDirectory, receiver: any ClusterReceiver, tracer: Tracer?,
        logger: Logger
    ) async throws -> OpenBus {
        switch self.kind {
        case .memory(let hub):
            let adapter = hub.open(record.id, receiver: receiver)
            return OpenBus(adapter: adapter, findings: ["bus: in memory, one node"]) { await adapter.run() }
        case .mongo(let cluster, let options):
            let adapter = try await MongoClusterAdapter.open(
                node: record.id, homes: record.homes, topology: cluster.topology.bus, directory: directory,
                receiver: receiver, options: options, tracer: tracer, logger: logger)
            return OpenBus(adapter: adapter, findings: adapter.findings) {}
        }
    }

    /// What was found out about the database, for the lines that a start prints.
    var findings: [String] {
        switch self.kind {
        case .memory: return ["state: in memory, lost at the end"]
        case .mongo(let cluster, _):
            let topology = cluster.topology
            let shards = topology.shards.isEmpty ? "replica set" : "shards \(topology.shards.joined(separator: ", "))"
            return ["state: MongoDB \(topology.deployment.version), \(shards), database \(cluster.settings.database)"]
        }
    }

    func shutdown() async {
        await self.outbox?.shutdown()
        if case .mongo(let cluster, _) = self.kind { await cluster.shutdown() }
    }
}

/// A bus that is open.
struct OpenBus: Sendable {
    let adapter: any ClusterAdapter
    let findings: [String]
    /// Works until cancelled, beside the adapter.
    let run: @Sendable () async -> Void
}
