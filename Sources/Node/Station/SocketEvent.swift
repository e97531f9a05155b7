import Foundation
import NIOCore
import NIOFoundationCompat
import Routing
import Wire

/// An application event that a client has sent (SPEC WS-2).
public struct SocketEvent: Sendable {
    public let name: String
    /// The socket that sent it.
    public let socket: Socket
    private let arguments: [EventArgument]
    private let ack: DeferredAck?

    init(_ event: borrowing LoopEvent) {
        self.name = event.packet.name(in: event.text)
        self.socket = Socket(event.socket)
        self.arguments = event.arguments()
        self.ack = event.deferredAck()
    }

    public var domain: String { self.socket.domain }
    /// nil for a guest, where guests may connect.
    public var user: String? { self.socket.user }
    public var client: String? { self.socket.client }
    /// The public ID of the socket.
    public var sid: String { self.socket.id }

    public var count: Int { self.arguments.count }

    /// Whether the client waits for ``acknowledge(_:)``.
    public var wantsAcknowledgement: Bool { self.ack != nil }

    /// Decodes an argument from JSON.
    /// - Throws: `DecodingError`, also for one that is missing or binary.
    public func argument<Value: Decodable>(_ index: Int, as type: Value.Type = Value.self) throws -> Value {
        try EventEncoding.decode(self.arguments, index, as: type)
    }

    /// A binary argument; nil where there is none.
    public func bytes(_ index: Int) -> [UInt8]? { EventEncoding.bytes(self.arguments, index) }

    /// Answers the client, at most once; without a waiting client it does nothing.
    /// - Throws: `EncodingError`.
    public func acknowledge(_ values: any Encodable...) throws {
        guard let ack = self.ack else { return }
        let packet = try OutboundPacket.ack(
            id: ack.id, values.map(EventEncoding.argument), namespace: self.socket.namespace)
        self.socket.inOrder { _ in ack.send(packet) }
    }
}

/// How values of an application become arguments of events.
enum EventEncoding {
    static func json(_ value: any Encodable) throws -> Data {
        let encoder = JSONCoding.encoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// The inside of a JSON array.
    static func array(_ values: [any Encodable]) throws -> ByteBuffer {
        var text = ByteBuffer()
        for (index, value) in values.enumerated() {
            if index > 0 { text.writeString(",") }
            text.writeBytes(try self.json(value))
        }
        return text
    }

    static func decode<Value: Decodable>(
        _ arguments: [EventArgument], _ index: Int, as type: Value.Type
    ) throws -> Value {
        guard arguments.indices.contains(index), case .json(let text) = arguments[index] else {
            throw DecodingError.valueNotFound(
                type, .init(codingPath: [], debugDescription: "there is no JSON argument \(index)"))
        }
        return try JSONCoding.decoder().decode(type, from: Data(buffer: text))
    }

    static func bytes(_ arguments: [EventArgument], _ index: Int) -> [UInt8]? {
        guard arguments.indices.contains(index), case .binary(let bytes) = arguments[index] else { return nil }
        return Array(bytes.readableBytesView)
    }

    /// Bytes go as a binary attachment, everything else as JSON.
    static func argument(_ value: any Encodable) throws -> EventArgument {
        // By the exact type: an empty array of anything can be cast to `[UInt8]`.
        if type(of: value) == [UInt8].self, let bytes = value as? [UInt8] { return .binary(ByteBuffer(bytes: bytes)) }
        if let data = value as? Data { return .binary(ByteBuffer(bytes: data)) }
        return .json(ByteBuffer(bytes: try self.json(value)))
    }
}
