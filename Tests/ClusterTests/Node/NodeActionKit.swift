import Logging
import NIOCore
import Routing
import Synchronization

@testable import Node

/// Log lines of a test.
final class NodeTestLines: Sendable {
    private let lines = Mutex<[(message: String, metadata: Logger.Metadata)]>([])

    var all: [(message: String, metadata: Logger.Metadata)] { self.lines.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: NodeTestLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.lines.lines.withLock { $0.append((event.message.description, event.metadata ?? [:])) }
        }
    }
}

/// The body of the example's login.
struct NodeTestLogin: Codable, Equatable {
    var user: String
    var device: String

    static func guest() -> Agent {
        Agent(domain: "example.org", user: nil, client: nil, isDomestic: false, address: "192.0.2.1")
    }
}

/// A suite of action tests: a pipeline whose handlers run in the test's pool, and whose log it can read.
protocol NodeActionSuite: SendableMetatype {
    var pool: NodeTestPool { get }
    var lines: NodeTestLines { get }
}

extension NodeActionSuite {
    func pipeline(
        _ actions: [Action], options: SessionOptions = SessionOptions(),
        sleep: @escaping @Sendable (Duration) async throws -> Void = { _ in try await NodeTestIdentity.never() }
    ) throws -> ActionPipeline {
        ActionPipeline(
            router: try ActionRouter(actions), options: options, submit: { [pool] in pool.submit($0) }, sleep: sleep,
            logger: self.lines.logger)
    }

    static func call(
        _ method: ActionMethod, _ target: String, body: String? = nil, type: String? = "application/json",
        encoding: String? = nil, accept: [String] = [], hasProof: Bool = false,
        agent: @escaping @Sendable () async throws -> Agent = { NodeTestLogin.guest() }
    ) -> ActionCall {
        ActionCall(
            transport: .http, method: method, target: target, domain: "example.org", address: "192.0.2.1",
            contentType: body == nil ? nil : type, contentEncoding: encoding, accept: accept,
            body: body.map { .bytes(ByteBuffer(string: $0)) } ?? .none, hasProof: hasProof, authenticate: agent)
    }
}
