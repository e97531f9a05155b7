import NIOCore
import Routing
import Wire

/// What a CONNECT payload says to the service (SPEC §8). Everything else in it is the application's.
struct ConnectAuth: Sendable, Equatable {
    /// `v`; nil for a plain client of any Socket.IO library.
    var version: Int64?
    /// The page instance's own ID, 1 to 64 bytes of printable ASCII; anything else is as if absent.
    var endpoint: String?
    var domestic: String?
    /// Of an identity provider (docs/identity.md, "Tokens").
    var token: String?
    /// What an official client says of the connection that it has lost (SOCKETIO §14.1.4). `offset` is absent where it was
    /// never sent an event.
    var pid: String?
    var offset: String?
    /// Believed in development mode only.
    var user: String?
    var client: String?

    static let supportedVersion: Int64 = 1
    /// The client of a believed user that names none.
    static let defaultClient = "default"

    /// Of a client that says nothing.
    init() {}

    /// - Parameter payload: the JSON object of a CONNECT, valid; empty where there is none.
    init(_ payload: UnsafeRawBufferPointer) {
        guard !payload.isEmpty else { return }
        var reader = JSONObjectReader(payload)
        while let member = reader.next() {
            let key = UnsafeRawBufferPointer(rebasing: payload[member.key])
            let value = UnsafeRawBufferPointer(rebasing: payload[member.value])
            if key.elementsEqual("v".utf8) {
                // Present but no integer: a version that nobody supports.
                self.version = Int64(String(decoding: value, as: UTF8.self)) ?? -1
            } else if key.elementsEqual("endpoint".utf8) {
                self.endpoint = Self.string(value).flatMap { Self.isEndpoint($0) ? $0 : nil }
            } else if key.elementsEqual("domestic".utf8) {
                self.domestic = Self.string(value)
            } else if key.elementsEqual("token".utf8) {
                self.token = Self.string(value)
            } else if key.elementsEqual("pid".utf8) {
                self.pid = Self.string(value)
            } else if key.elementsEqual("offset".utf8) {
                self.offset = Self.string(value) ?? ""
            } else if key.elementsEqual("user".utf8) {
                self.user = Self.string(value)
            } else if key.elementsEqual("client".utf8) {
                self.client = Self.string(value)
            }
        }
    }

    /// A CONNECT payload without what is none of the application's: connection state recovery (SOCKETIO §14.1.7) and
    /// credentials (SPEC ID-4).
    static func payload(_ payload: UnsafeRawBufferPointer, without withheld: [StaticString]) -> ByteBuffer {
        guard !withheld.isEmpty else { return ByteBuffer(bytes: payload) }
        var object = ByteBuffer()
        guard !payload.isEmpty else { return object }
        object.writeString("{")
        var reader = JSONObjectReader(payload)
        var isFirst = true
        while let member = reader.next() {
            let key = UnsafeRawBufferPointer(rebasing: payload[member.key])
            if withheld.contains(where: { name in name.withUTF8Buffer { key.elementsEqual($0) } }) { continue }
            if !isFirst { object.writeString(",") }
            isFirst = false
            object.writeString("\"")
            object.writeBytes(key)
            object.writeString("\":")
            object.writeBytes(payload[member.value])
        }
        object.writeString("}")
        return object
    }

    /// The identity that development mode believes.
    func believed(in domain: String) -> ConnectionIdentity? {
        guard let user = self.user, Identifier.isValid(user) else { return nil }
        let client = self.client ?? Self.defaultClient
        guard Identifier.isValid(client) else { return nil }
        return ConnectionIdentity(domain: domain, user: user, client: client, session: nil, isDomestic: true)
    }

    private static func string(_ value: UnsafeRawBufferPointer) -> String? {
        guard value.count >= 2, value.first == UInt8(ascii: "\"") else { return nil }
        return JSONString.decodeStrict(UnsafeRawBufferPointer(rebasing: value[1..<(value.count - 1)]))
    }

    private static func isEndpoint(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
