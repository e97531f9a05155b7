import NIOCore
import Wire

/// The answer to an `action` event, as the client gets it (SPEC §8, AC-8): the object of the `reply` event, and of the
/// acknowledgement where the client asked for one.
struct ActionReply: Sendable {
    var id: MessageID?
    var status: Int
    /// nil where there is none: of a stream, and of HEAD.
    var content: JSONValue?
    /// nil where they go as events of their own, as plain clients get them (SPEC EV-5).
    var events: [JSONValue]?
    /// The methods of the path, for 405 and OPTIONS.
    var allow: [String]?
    var stream: Stream?
    /// The ticket for the cookies of a session that has changed (SPEC ID-17).
    var ticket: String?

    struct Stream: Sendable {
        let length: Int?
        let type: String?
    }

    init(id: MessageID?, _ answer: ActionAnswer, speaksProduct: Bool) {
        self.id = id
        self.status = answer.status
        self.allow = answer.allow
        self.events = speaksProduct ? answer.events : nil
        if let stream = answer.stream {
            self.stream = Stream(length: stream.length, type: stream.type)
        } else {
            self.content = answer.content
        }
    }

    var json: ByteBuffer {
        var object = ByteBuffer()
        object.writeString("{")
        object.writeID(self.id)
        object.writeString("\"status\":\(self.status)")
        if let content = self.content {
            object.writeString(",\"content\":")
            content.write(to: &object)
        }
        if let events = self.events {
            object.writeString(",\"events\":")
            JSONValue.array(events).write(to: &object)
        }
        if let allow = self.allow {
            object.writeString(",\"allow\":")
            JSONValue.array(allow.map { .string($0) }).write(to: &object)
        }
        if let stream = self.stream {
            object.writeString(",\"stream\":true")
            if let length = stream.length { object.writeString(",\"length\":\(length)") }
            if let type = stream.type {
                object.writeString(",\"type\":")
                object.writeJSONString(type)
            }
        }
        if let ticket = self.ticket {
            object.writeString(",\"session\":{\"ticket\":")
            object.writeJSONString(ticket)
            object.writeString("}")
        }
        object.writeString("}")
        return object
    }
}

extension OutboundPacket {
    /// The `reply` event.
    /// - Parameter object: of an ``ActionReply``.
    static func reply(_ object: ByteBuffer) -> OutboundPacket {
        object.withUnsafeReadableBytes { .passing(name: "reply", arguments: $0) }
    }

    /// The acknowledgement with the same object (SPEC WS-1).
    static func replyAck(_ object: ByteBuffer, ackID: Int64) -> OutboundPacket {
        object.withUnsafeReadableBytes { .passing(name: nil, arguments: $0, ackID: ackID) }
    }

    static func chunk(_ id: MessageID, number: Int, _ bytes: ByteBuffer) -> OutboundPacket {
        self.chunk(id, number, "\"data\":{\"_placeholder\":true,\"num\":0}", [bytes])
    }

    static func lastChunk(_ id: MessageID, number: Int) -> OutboundPacket { self.chunk(id, number, "\"end\":true") }

    /// - Parameter error: a word that programs compare.
    static func failedChunk(_ id: MessageID, number: Int, error: String) -> OutboundPacket {
        self.chunk(id, number, "\"error\":\"\(error)\"")
    }

    /// The answer to a `chunk` event that makes no sense (SPEC WS-2).
    static func invalidChunk(_ id: MessageID?) -> OutboundPacket {
        var object = ByteBuffer()
        object.writeString("{")
        object.writeID(id)
        object.writeString("\"error\":\"INVALID\"}")
        return object.withUnsafeReadableBytes { .passing(name: "chunk", arguments: $0) }
    }

    private static func chunk(
        _ id: MessageID, _ number: Int, _ rest: String, _ attachments: [ByteBuffer] = []
    ) -> OutboundPacket {
        var object = ByteBuffer()
        object.writeString("{")
        object.writeID(id)
        object.writeString("\"n\":\(number),\(rest)}")
        return object.withUnsafeReadableBytes { .passing(name: "chunk", arguments: $0, attachments: attachments) }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeID(_ id: MessageID?) {
        guard let id else { return }
        self.writeString("\"_id\":")
        self.writeImmutableBuffer(id.json)
        self.writeString(",")
    }
}
