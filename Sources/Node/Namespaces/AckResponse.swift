import Foundation
import NIOCore
import NIOFoundationCompat
import Wire

/// What a client answered to an event (SOCKETIO §12).
public struct AckResponse: Sendable {
    private let arguments: [EventArgument]

    init(_ item: RoomReply.Item) {
        self.arguments = item.text.withUnsafeReadableBytes { text in
            EventArgument.list(inside: text, attachments: item.attachments)
        }
    }

    public var count: Int { self.arguments.count }

    /// Decodes an argument of the acknowledgement from JSON.
    /// - Throws: `DecodingError`, also for one that is missing or binary.
    public func argument<Value: Decodable>(_ index: Int = 0, as type: Value.Type = Value.self) throws -> Value {
        try EventEncoding.decode(self.arguments, index, as: type)
    }

    /// A binary argument; nil where there is none.
    public func bytes(_ index: Int) -> [UInt8]? { EventEncoding.bytes(self.arguments, index) }
}
