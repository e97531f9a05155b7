import NIOCore

/// One signalling message of a client (SPEC LK-9): what is relayed of it, and for whom. Unknown fields are dropped.
package struct PeerPacket: Sendable {
    package struct Limits: Sendable {
        /// Bytes of `sdp.sdp`.
        var description: Int
        /// Bytes of `ICE`, as it was sent.
        var candidate: Int

        package init(description: Int, candidate: Int) {
            self.description = description
            self.candidate = candidate
        }
    }

    /// Why it is refused, and what could be read of it.
    package struct Refusal: Error {
        enum Limit { case description, candidate }

        package let token: String?
        package let to: String?
        /// nil: of the wrong shape.
        let limit: Limit?
    }

    package let token: String
    package let to: String
    /// One member as JSON, without braces.
    package let content: String

    /// Roughly what it keeps in memory.
    var byteCount: Int { 256 + self.token.utf8.count + self.to.utf8.count + self.content.utf8.count }

    package init(_ arguments: UnsafeRawBufferPointer, hasAttachments: Bool, limits: Limits) throws(Refusal) {
        let object = StrictObject(arguments)
        // Echoed in errors: no longer than they can be.
        func echo(_ name: String) -> String? { object.values[name]?.string.flatMap { $0.utf8.count <= 128 ? $0 : nil } }
        let (token, to) = (echo("token"), echo("to"))
        guard object.isStrict, !hasAttachments, let token, let to else {
            throw Refusal(token: token, to: to, limit: nil)
        }
        func refusal(_ limit: Refusal.Limit? = nil) -> Refusal { Refusal(token: token, to: to, limit: limit) }
        self.token = token
        self.to = to
        let values = (object.values["sdp"], object.values["ICE"], object.values["bye"])
        switch values {
        case (.object(let description)?, nil, nil):
            guard let type = description["type"]?.string, type == "offer" || type == "answer",
                let text = description["sdp"]?.string
            else { throw refusal() }
            guard text.utf8.count <= limits.description else { throw refusal(.description) }
            self.content = Self.member("sdp", ["type": .string(type), "sdp": .string(text)])
        case (nil, let candidate?, nil):
            switch candidate {
            case .object, .null: break
            case .bool, .int, .double, .string, .array: throw refusal()
            }
            guard object.sizes["ICE"] ?? 0 <= limits.candidate else { throw refusal(.candidate) }
            self.content = Self.member("ICE", candidate)
        case (nil, nil, .bool(true)?): self.content = "\"bye\":true"
        default: throw refusal()
        }
    }

    private static func member(_ name: String, _ value: JSONValue) -> String {
        var text = ByteBuffer()
        text.writeString("\"\(name)\":")
        value.write(to: &text)
        return String(buffer: text)
    }
}
