import NIOCore

/// Arguments joined into the inside of a JSON array, with the attachments they refer to (SOCKETIO §10.2).
struct EventArguments {
    private(set) var json = ByteBuffer()
    private(set) var attachments: [ByteBuffer] = []

    /// Checks every argument: JSON text comes from the application's encoder or from another user, and what is wrong in
    /// it would cost the receivers their connections.
    init(joining arguments: [EventArgument], limits: EventLimits) throws(EventError) {
        let hasBinary = arguments.contains { argument in
            switch argument {
            case .json: false
            case .binary, .mixed: true
            }
        }
        for (index, argument) in arguments.enumerated() {
            if index > 0 { self.json.writeInteger(UInt8(ascii: ",")) }
            switch argument {
            case .json(let text):
                try Self.check(text, argument: index)
                if hasBinary, text.withUnsafeReadableBytes({ Placeholders.occur(in: $0) }) {
                    throw .placeholder(argument: index)
                }
                self.json.writeImmutableBuffer(text)
            case .binary(let bytes):
                Placeholders.write(self.attachments.count, into: &self.json)
                self.attachments.append(bytes)
            case .mixed(let text, let attachments):
                try Self.check(text, argument: index)
                let isValid = text.withUnsafeReadableBytes {
                    Placeholders.renumber(
                        $0, attachments: attachments, into: &self.json, appendingTo: &self.attachments)
                }
                guard isValid else { throw .placeholder(argument: index) }
            }
            guard self.attachments.count <= limits.maxAttachments else {
                throw .tooManyAttachments(limit: limits.maxAttachments)
            }
            guard self.json.readableBytes <= limits.maxBytes else {
                throw .tooLarge(bytes: self.json.readableBytes, limit: limits.maxBytes)
            }
        }
    }

    private static func check(_ text: ByteBuffer, argument: Int) throws(EventError) {
        let isValid = text.withUnsafeReadableBytes { JSONScanner.isValid($0, depth: 1) && UTF8Validation.isValid($0) }
        guard isValid else { throw .invalidJSON(argument: argument) }
    }
}
