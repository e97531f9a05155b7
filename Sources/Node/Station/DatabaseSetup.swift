import Backplane
public import Logging

/// `submergence init-db`: makes what is missing in MongoDB. Idempotent, and safe from several nodes at once.
public enum DatabaseSetup {
    /// - Parameter recoveryLog: makes the recovery logs as well; a node with connection state recovery makes them itself.
    /// - Returns: what is there now, as lines for people.
    /// - Throws: ``StartError``.
    public static func run(
        _ options: Configuration.Mongo, recoveryLog: Bool = false, logger: Logger = Logger(label: "submergence")
    ) async throws -> [String] {
        let cluster = try await Backend.open(options, recoveryLog: recoveryLog, logger: logger)
        let topology = cluster.topology
        var lines = ["MongoDB \(topology.deployment.version), database \(options.database)"]
        for shard in topology.bus.shards {
            lines.append("inboxes: \(shard.slots) slots in \(shard.database) on \(shard.name)")
        }
        for place in cluster.recoveryLog?.places ?? [] { lines.append("recovery log on \(place)") }
        lines.append("outbox: \(options.database).\(cluster.settings.collections.outbox)")
        lines.append("ready")
        await cluster.shutdown()
        return lines
    }

    /// The least that MongoDB users need, `serve`'s and `init-db`'s, as a script for `mongosh`. Makes nothing.
    /// - Parameter options: with a user that may look at the deployment.
    /// - Throws: ``StartError``.
    public static func roles(
        _ options: Configuration.Mongo, logger: Logger = Logger(label: "submergence")
    ) async throws -> String {
        try await Backend.roles(options, logger: logger)
    }
}
