package import NIOCore

/// One argument of an event or an ack.
package enum EventArgument: Equatable, Sendable {
    /// One JSON value as text.
    case json(ByteBuffer)
    case binary(ByteBuffer)
    /// JSON with placeholders in it, and the attachments that their numbers name. Placeholders are numbered anew when
    /// the argument is sent.
    case mixed(ByteBuffer, attachments: [ByteBuffer])

    /// A JSON string.
    package static func string(_ value: String) -> EventArgument {
        var buffer = ByteBuffer()
        buffer.writeJSONString(value)
        return .json(buffer)
    }

    /// JSON text that the caller knows to be one value; checked when the event is built.
    package static func json(_ text: String) -> EventArgument { .json(ByteBuffer(string: text)) }
}

extension SocketPacket {
    /// The arguments of an event (without its name) or of an ack, copied out of the text.
    ///
    /// - Parameter attachments: those of the packet, as many as `attachmentCount`.
    package func arguments(in text: UnsafeRawBufferPointer, attachments: [ByteBuffer] = []) -> [EventArgument] {
        guard !self.payload.isEmpty else { return [] }
        return EventArgument.list(
            UnsafeRawBufferPointer(rebasing: text[self.payload]), attachments: attachments,
            skipsFirst: self.kind == .event || self.kind == .binaryEvent)
    }
}

extension EventArgument {
    /// - Parameter text: what stands between the brackets of a JSON array, valid.
    package static func list(
        inside text: UnsafeRawBufferPointer, attachments: [ByteBuffer]
    ) -> [EventArgument] {
        guard !text.isEmpty else { return [] }
        var array = ByteBuffer()
        array.writeString("[")
        array.writeBytes(text)
        array.writeString("]")
        return array.withUnsafeReadableBytes { self.list($0, attachments: attachments, skipsFirst: false) }
    }

    /// - Parameter payload: a JSON array, valid.
    fileprivate static func list(
        _ payload: UnsafeRawBufferPointer, attachments: [ByteBuffer], skipsFirst: Bool
    ) -> [EventArgument] {
        var reader = JSONArrayReader(payload)
        var isName = skipsFirst
        var arguments: [EventArgument] = []
        while let element = reader.next() {
            if isName {
                isName = false
                continue
            }
            let json = UnsafeRawBufferPointer(rebasing: payload[element])
            if !attachments.isEmpty {
                if let index = Placeholders.index(of: json), index < attachments.count {
                    arguments.append(.binary(attachments[index]))
                    continue
                }
                if Placeholders.occur(in: json) {
                    arguments.append(.mixed(ByteBuffer(bytes: json), attachments: attachments))
                    continue
                }
            }
            arguments.append(.json(ByteBuffer(bytes: json)))
        }
        return arguments
    }
}
