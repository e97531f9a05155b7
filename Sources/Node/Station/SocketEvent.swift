import Foundation
import NIOCore
import NIOFoundationCompat
import Routing
import Wire

/// An application event that a client has sent (SPEC WS-2).
public struct SocketEvent: Sendable {
    public let name: String
    public let domain: String
    /// nil for a guest, where guests may connect.
    public let user: String?
    public let client: String?
    /// The public ID of the connection.
    public let sid: String?
    private let arguments: [EventArgument]
    private let ack: DeferredAck?

    init(_ event: borrowing LoopEvent) {
        let connection = event.session.connection
        self.name = event.packet.name(in: event.text)
        self.domain = event.session.handshake.domain
        self.user = connection?.identity?.user
        self.client = connection?.identity?.client
        self.sid = connection?.socket.text
        self.arguments = event.arguments()
        self.ack = event.deferredAck()
    }

    public var count: Int { self.arguments.count }

    /// Whether the client waits for ``acknowledge(_:)``.
    public var wantsAcknowledgement: Bool { self.ack != nil }

    /// Decodes an argument from JSON.
    /// - Throws: `DecodingError`, also for one that is missing or binary.
    public func argument<Value: Decodable>(_ index: Int, as type: Value.Type = Value.self) throws -> Value {
        guard self.arguments.indices.contains(index), case .json(let text) = self.arguments[index] else {
            throw DecodingError.valueNotFound(
                type, .init(codingPath: [], debugDescription: "the event has no JSON argument \(index)"))
        }
        return try JSONDecoder().decode(type, from: Data(buffer: text))
    }

    /// A binary argument; nil where there is none.
    public func bytes(_ index: Int) -> [UInt8]? {
        guard self.arguments.indices.contains(index), case .binary(let bytes) = self.arguments[index] else {
            return nil
        }
        return Array(bytes.readableBytesView)
    }

    /// Answers the client, at most once; without a waiting client it does nothing.
    /// - Throws: `EncodingError`.
    public func acknowledge(_ values: any Encodable...) throws {
        guard let ack = self.ack else { return }
        var arguments = ByteBuffer()
        for (index, value) in values.enumerated() {
            if index > 0 { arguments.writeString(",") }
            arguments.writeBytes(try EventEncoding.json(value))
        }
        ack.send(arguments)
    }
}

/// How values of an application become arguments of events.
enum EventEncoding {
    static func json(_ value: any Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// Bytes go as a binary attachment, everything else as JSON.
    static func argument(_ value: any Encodable) throws -> EventArgument {
        switch value {
        case let bytes as [UInt8]: .binary(ByteBuffer(bytes: bytes))
        case let data as Data: .binary(ByteBuffer(bytes: data))
        default: .json(ByteBuffer(bytes: try self.json(value)))
        }
    }
}
