import Backplane
public import Logging

/// `submergence init-db`: makes what is missing in MongoDB. Idempotent, and safe from several nodes at once.
public enum DatabaseSetup {
    /// - Returns: what is there now, as lines for people.
    /// - Throws: ``StartError``.
    public static func run(
        _ options: Configuration.Mongo, logger: Logger = Logger(label: "submergence")
    ) async throws -> [String] {
        let cluster = try await Backend.open(options, logger: logger)
        let topology = cluster.topology
        var lines = ["MongoDB \(topology.deployment.version), database \(options.database)"]
        for shard in topology.bus.shards {
            lines.append("inboxes: \(shard.slots) slots in \(shard.database) on \(shard.name)")
        }
        lines.append("ready")
        await cluster.shutdown()
        return lines
    }
}
