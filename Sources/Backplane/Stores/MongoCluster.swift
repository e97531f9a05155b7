package import Logging
package import NIOCore

/// MongoDB as this program uses it: pools, threads, stores, and where the bus is.
package struct MongoCluster: Sendable {
    package let settings: MongoSettings
    package let topology: MongoTopology
    package let routes: MongoRouteStore
    package let sessions: MongoSessionStore
    package let nodes: MongoNodeRegistry
    package let tickets: MongoTicketStore
    package let traces: MongoTraceStore
    package let answers: MongoAnswerStore
    package let domains: MongoDomainStore
    package let links: MongoLinkStore
    /// nil while connection state recovery is off (``MongoSettings/recoveryLog``).
    package let recoveryLog: MongoRecoveryLog?
    /// For commands that belong to no single shard.
    package let commands: MongoCommands
    private let lanes: [MongoCommands]
    private let renewals: MongoCommands

    package struct Options: Sendable {
        /// Deadline of every command (SPEC ND-14).
        package var timeout = TimeAmount.seconds(2)
        /// Commands in flight per shard.
        package var threadsPerShard = 6
        /// Commands in flight that concern more than one shard.
        package var generalThreads = 4
        /// Commands waiting per shard; more are refused.
        package var queueLimit = 2_000

        package init() {}
    }

    /// Connects, looks at the deployment and makes what is missing there (SPEC §2).
    /// - Parameter makesMissing: false where only `init-db` may do so.
    package static func open(
        _ settings: MongoSettings, options: Options = Options(), makesMissing: Bool = true, logger: Logger
    ) async throws(MongoError) -> MongoCluster {
        let topology = try await self.looking(at: settings, options: options) { () throws(MongoError) in
            try MongoTopology.open(settings, makesMissing: makesMissing, logger: logger)
        }
        var poolOptions = MongoPoolOptions(timeout: options.timeout, appName: settings.appName)
        let laneCount = topology.routes.shards.count
        poolOptions.size = laneCount * options.threadsPerShard + options.generalThreads
        let pool = try MongoPool(uri: settings.uri, options: poolOptions)
        var renewalOptions = MongoPoolOptions.renewals
        renewalOptions.appName = settings.appName
        let renewalPool = try MongoPool(uri: settings.uri, options: renewalOptions)
        return MongoCluster(
            settings: settings, topology: topology, options: options, pool: pool, renewalPool: renewalPool,
            logger: logger)
    }

    /// The rights that users of this program need on the deployment that is there. Makes nothing.
    package static func roles(_ settings: MongoSettings, logger: Logger) async throws(MongoError) -> DatabaseRoles {
        try await self.looking(at: settings, options: Options()) { () throws(MongoError) in
            try MongoTopology.roles(settings, logger: logger)
        }
    }

    /// On a thread of its own, as it blocks.
    private static func looking<Result: Sendable>(
        at settings: MongoSettings, options: Options,
        _ work: @escaping @Sendable () throws(MongoError) -> Result
    ) async throws(MongoError) -> Result {
        var poolOptions = MongoPoolOptions(timeout: options.timeout, appName: settings.appName)
        poolOptions.size = 1
        let opener = MongoCommands(pool: try MongoPool(uri: settings.uri, options: poolOptions), threads: 1)
        do throws(MongoError) {
            let result = try await opener.perform("open", deadline: .now() + .minutes(3)) { _ throws(MongoError) in
                try work()
            }
            await opener.shutdown()
            return result
        } catch {
            await opener.shutdown()
            throw error
        }
    }

    private init(
        settings: MongoSettings, topology: MongoTopology, options: Options, pool: MongoPool, renewalPool: MongoPool,
        logger: Logger
    ) {
        self.settings = settings
        self.topology = topology
        self.lanes = topology.routes.shards.map { _ in
            MongoCommands(pool: pool, threads: options.threadsPerShard, queueLimit: options.queueLimit)
        }
        self.commands = MongoCommands(pool: pool, threads: options.generalThreads, queueLimit: options.queueLimit)
        self.renewals = MongoCommands(pool: renewalPool, threads: renewalPool.options.size, queueLimit: 16)
        self.routes = MongoRouteStore(
            settings: settings, shards: topology.routes, lanes: self.lanes, general: self.commands, logger: logger)
        self.sessions = MongoSessionStore(
            settings: settings, shards: topology.sessions, lanes: self.lanes, general: self.commands, logger: logger)
        self.nodes = MongoNodeRegistry(
            settings: settings, shards: topology.nodes, lanes: self.lanes, commands: self.commands,
            renewals: self.renewals, logger: logger)
        self.links = MongoLinkStore(
            settings: settings, shards: topology.links, lanes: self.lanes, general: self.commands, logger: logger)
        self.tickets = MongoTicketStore(
            settings: settings, shards: topology.tickets, lanes: self.lanes, logger: logger)
        self.answers = MongoAnswerStore(
            settings: settings, shards: topology.answers, lanes: self.lanes, logger: logger)
        self.domains = MongoDomainStore(settings: settings, commands: self.commands, logger: logger)
        self.traces = MongoTraceStore(settings: settings, logger: logger)
        self.recoveryLog =
            settings.recoveryLog == nil
            ? nil
            : MongoRecoveryLog(
                settings: settings, topology: topology, lanes: self.lanes, general: self.commands, logger: logger)
    }

    /// Ends all threads once their commands are done. The pools end with the last user.
    package func shutdown() async {
        await self.traces.shutdown()
        for lane in self.lanes { await lane.shutdown() }
        await self.commands.shutdown()
        await self.renewals.shutdown()
    }
}
