import NIOCore
import Synchronization
import Wire

/// An event that another node has sent to this one (SOCKETIO §13).
public struct ServerSideEvent: Sendable {
    public let name: String
    public let domain: String
    public let namespace: String
    private let arguments: [EventArgument]
    private let answer: ServerSideAnswer

    init(name: String, domain: String, namespace: String, json: ByteBuffer, answer: ServerSideAnswer) {
        self.name = name
        self.domain = domain
        self.namespace = namespace
        self.arguments = json.withUnsafeReadableBytes { EventArgument.list(inside: $0, attachments: []) }
        self.answer = answer
    }

    public var count: Int { self.arguments.count }

    /// Decodes an argument.
    /// - Throws: `DecodingError`, also for one that is missing.
    public func argument<Value: Decodable>(_ index: Int, as type: Value.Type = Value.self) throws -> Value {
        try EventEncoding.decode(self.arguments, index, as: type)
    }

    /// Answers the other node, once; it may not be waiting.
    /// - Throws: `EncodingError`.
    public func acknowledge(_ value: any Encodable) throws {
        self.answer.give(ByteBuffer(bytes: try EventEncoding.json(value)))
    }
}

/// The one answer of this node to an event of another one, whichever handler gives it first.
final class ServerSideAnswer: Sendable {
    private let state: Mutex<(@Sendable (ByteBuffer?) -> Void)?>

    init(_ give: @escaping @Sendable (ByteBuffer?) -> Void) {
        self.state = Mutex(give)
    }

    /// - Parameter value: nil: no handler has answered, and none will.
    func give(_ value: ByteBuffer?) {
        let give = self.state.withLock { state in
            defer { state = nil }
            return state
        }
        give?(value)
    }
}
