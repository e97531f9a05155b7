import Backplane
import NIOPosix
import Routing

/// What became of one traced event (`submergence why`).
public struct EventTrace: Sendable, Equatable {
    public struct Step: Sendable, Equatable, Codable {
        /// Milliseconds since 1970, by the cluster's clock as the node knew it.
        public var time: Int64
        /// Name of the node, or its ID where it has none.
        public var node: String
        /// `accepted`, `routes`, `stored`, `read`, `delivered`, `dropped` … (docs/operations.md, "Where did my event go?").
        public var step: String
        public var details: [String: String]
        /// The same for people.
        public var text: String
    }

    public var steps: [Step]

    /// Reads what the nodes have written down. Needs no node.
    /// - Parameter id: as the receipt has it (``Receipt/event``).
    /// - Returns: nil for an event that was not traced, or that is longer ago than traces are kept.
    /// - Throws: ``StartError``: MongoDB cannot be reached.
    public static func read(_ id: String, _ options: Configuration.Mongo) async throws -> EventTrace? {
        guard let event = TraceID(id) else { return nil }
        let settings = options.settings
        let found: [TraceStep]?
        do {
            found = try await NIOThreadPool.singleton.runIfActive {
                try MongoTraceStore.read(event, settings)
            }
        } catch {
            throw StartError(
                "cannot read the trace", why: "\(error)", remedy: "Check --mongodb and --database.")
        }
        return found.map { steps in
            EventTrace(
                steps: steps.map {
                    Step(
                        time: $0.time, node: $0.node, step: $0.hop.kind, details: $0.hop.details,
                        text: $0.hop.sentence)
                })
        }
    }
}
