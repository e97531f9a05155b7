import NIOCore
import Wire

/// What a client has asked for in an `action` event (SPEC §8), checked by the strict rules of WS-3. Only the body's JSON is left
/// to the pipeline, which checks it by the same rules once it knows that anybody wants it.
struct ActionPacket: Sendable {
    enum Body: Sendable {
        case none
        /// One JSON value as text.
        case json(ByteBuffer)
        case binary(ByteBuffer)
    }

    /// Why it is refused, and whom the answer is for as far as that can be told.
    struct Refusal: Error {
        let id: MessageID?
        let error: ActionError
    }

    let id: MessageID?
    let method: ActionMethod
    /// Path, perhaps with a query.
    let url: String
    let query: [String: String]
    let body: Body

    /// Roughly what it keeps in memory.
    var byteCount: Int {
        let body =
            switch self.body {
            case .none: 0
            case .json(let bytes), .binary(let bytes): bytes.readableBytes
            }
        return self.query.reduce(256 + self.url.utf8.count + body) { $0 + $1.key.utf8.count + $1.value.utf8.count + 64 }
    }

    /// - Parameters:
    ///   - arguments: what stands behind the event's name: JSON values with commas between them, valid.
    ///   - longestURL: bytes; beyond it 414.
    init(
        _ arguments: UnsafeRawBufferPointer, attachments: [ByteBuffer], longestURL: Int
    ) throws(Refusal) {
        guard let members = Members(arguments) else { throw Refusal(id: nil, error: .badRequest) }
        let id = members.id
        guard members.isStrict else { throw Refusal(id: id, error: .badRequest) }
        func refuse(_ error: ActionError = .badRequest) -> Refusal { Refusal(id: id, error: error) }

        guard members.hasValidID, let method = members.values["method"]?.string, Self.isToken(method),
            let url = members.values["url"]?.string, url.hasPrefix("/"),
            url.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }),
            let query = Self.query(members.values["query"])
        else { throw refuse() }
        guard url.utf8.count <= longestURL else { throw refuse(.longTarget) }
        self.id = id
        self.method = ActionMethod(rawValue: method)
        self.url = url
        self.query = query
        guard !attachments.isEmpty else {
            self.body = members.body.map { Body.json(ByteBuffer(bytes: $0)) } ?? Body.none
            return
        }
        // Bytes are a body as a whole: inside of JSON they have no counterpart over HTTP.
        guard attachments.count == 1, let body = members.body, Placeholders.index(of: body) == 0 else { throw refuse() }
        self.body = .binary(attachments[0])
    }

    /// A word of RFC 9110 §5.6.2, of bounded length.
    private static func isToken(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }

    /// Flat strings (SPEC AC-3); numbers and booleans as a URL would have them.
    private static func query(_ value: JSONValue?) -> [String: String]? {
        guard let value else { return [:] }
        guard case .object(let members) = value else { return nil }
        var query: [String: String] = [:]
        for (name, value) in members {
            switch value {
            case .string(let text): query[name] = text
            case .bool(let flag): query[name] = flag ? "true" : "false"
            case .int, .double:
                var text = ByteBuffer()
                value.write(to: &text)
                query[name] = String(buffer: text)
            case .null, .array, .object: return nil
            }
        }
        return query
    }
}

/// The members of the one object that the event's arguments are to be.
private struct Members {
    var id: MessageID?
    var hasValidID = true
    /// By SPEC WS-3, the body's inside aside.
    var isStrict = true
    var values: [String: JSONValue] = [:]
    var body: UnsafeRawBufferPointer?

    /// - Returns: nil where there is no such object.
    init?(_ arguments: UnsafeRawBufferPointer) {
        var scanner = JSONScanner(arguments)
        guard scanner.next == UInt8(ascii: "{"), scanner.skipValue() else { return nil }
        let object = UnsafeRawBufferPointer(rebasing: arguments[..<scanner.position])
        scanner.skipWhitespace()
        // More arguments than one: nobody knows what they would mean.
        if scanner.position != arguments.count { self.isStrict = false }
        var reader = JSONObjectReader(object)
        var keys: Set<String> = []
        while let member = reader.next() {
            let rawKey = UnsafeRawBufferPointer(rebasing: object[member.key])
            let value = UnsafeRawBufferPointer(rebasing: object[member.value])
            guard let key = JSONString.decodeStrict(rawKey), key != "__proto__" else {
                self.isStrict = false
                continue
            }
            if !keys.insert(key).inserted {
                self.isStrict = false
                // Of two ids neither is the one.
                if key == "_id" { self.id = nil }
                continue
            }
            switch key {
            case "_id":
                self.id = MessageID(json: value)
                self.hasValidID = self.id != nil
            case "body": self.body = value
            default:
                guard let parsed = try? JSONValue(text: ByteBuffer(bytes: value)),
                    key != "constructor" || parsed["prototype"] == nil
                else {
                    self.isStrict = false
                    continue
                }
                self.values[key] = parsed
            }
        }
    }
}

extension ActionError {
    static let longTarget = ActionError(414, "TARGET")
    /// More of them than may wait, or than may stream at once.
    static let socketBusy = ActionError(429, "BUSY")
    /// A stream without an `_id`, or with one that another stream has.
    static let streamID = ActionError(400, "ID")
    /// The answer is larger than a socket takes (`LimitOptions.maximumReply`).
    static let largeReply = ActionError(500, "REPLY_TOO_LARGE")
}
