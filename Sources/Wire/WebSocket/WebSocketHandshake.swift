package import NIOCore

/// Judges an upgrade request (RFC 6455 §4.2.1). Feed it every header field, then ask for the verdict.
package struct WebSocketHandshake {
    package enum Verdict: Equatable, Sendable {
        /// Answer 101; `writeAccept` has the value of `Sec-WebSocket-Accept`.
        case accept
        /// Nothing of WebSocket in it: a plain HTTP request.
        case notAnUpgrade
        /// Answer 400.
        case malformed
        /// Answer 426 with `Sec-WebSocket-Version: 13`.
        case unsupportedVersion
    }

    private static let keyCount = 24
    private static let suffix: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    private var key: [UInt8] = []
    private var keys = 0
    private var versions = 0
    private var hasVersion13 = false
    private var hasUpgrade = false
    private var hasConnection = false
    private var isMalformed = false
    /// What `Sec-WebSocket-Extensions` offers, all fields of that name together, in order.
    package private(set) var extensions: [WebSocketExtension] = []
    /// What `Sec-WebSocket-Protocol` offers, in the client's order of preference.
    package private(set) var subprotocols: [String] = []

    package init() {}

    /// Takes note of one header field. Names in any case; a field may come several times.
    package mutating func note(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        switch name.count {
        case 7 where Self.equals(name, "upgrade"): self.hasUpgrade = self.hasUpgrade || Self.has("websocket", in: value)
        case 10 where Self.equals(name, "connection"):
            self.hasConnection = self.hasConnection || Self.has("upgrade", in: value)
        case 17 where Self.equals(name, "sec-websocket-key"):
            self.keys += 1
            self.key = Array(Self.trimmed(value).prefix(Self.keyCount + 1))
        case 21 where Self.equals(name, "sec-websocket-version"):
            self.versions += 1
            self.hasVersion13 = Self.equals(Self.trimmed(value), "13")
        case 24 where Self.equals(name, "sec-websocket-extensions"):
            guard let offers = WebSocketExtension.parse(value) else {
                self.isMalformed = true
                break
            }
            self.extensions += offers
        case 22 where Self.equals(name, "sec-websocket-protocol"):
            self.noteSubprotocols(value)
        default: break
        }
    }

    /// Tokens that are all different (RFC 6455 §4.1), in one field or several.
    private mutating func noteSubprotocols(_ value: UnsafeRawBufferPointer) {
        var reader = HeaderTokenReader(value)
        repeat {
            reader.skipBlanks()
            guard let name = reader.token(), !self.subprotocols.contains(name) else {
                self.isMalformed = true
                return
            }
            self.subprotocols.append(name)
            reader.skipBlanks()
        } while reader.take(UInt8(ascii: ","))
        if !reader.isAtEnd { self.isMalformed = true }
    }

    package mutating func note(name: String, value: String) { self.note(name: name[...], value: value[...]) }

    package mutating func note(name: Substring, value: Substring) {
        var name = name
        var value = value
        name.withUTF8 { name in value.withUTF8 { self.note(name: .init(name), value: .init($0)) } }
    }

    /// - Parameters:
    ///   - isGET: whether the request's method is GET.
    ///   - isHTTP11: whether its version is 1.1.
    package func verdict(isGET: Bool, isHTTP11: Bool) -> Verdict {
        guard self.hasUpgrade else { return .notAnUpgrade }
        guard isGET, isHTTP11, self.hasConnection, self.keys == 1, self.isKeyValid, !self.isMalformed else {
            return .malformed
        }
        guard self.versions == 1, self.hasVersion13 else { return .unsupportedVersion }
        return .accept
    }

    /// Appends the 28 characters that answer the key.
    package func writeAccept(into buffer: inout ByteBuffer) {
        let (a, b, c, d, e) = withUnsafeTemporaryAllocation(
            byteCount: self.key.count + Self.suffix.utf8CodeUnitCount, alignment: 1
        ) { message in
            self.key.withUnsafeBytes { message.copyMemory(from: $0) }
            let suffix = UnsafeRawBufferPointer(start: Self.suffix.utf8Start, count: Self.suffix.utf8CodeUnitCount)
            UnsafeMutableRawBufferPointer(rebasing: message[self.key.count...]).copyMemory(from: suffix)
            return SHA1.hash(UnsafeRawBufferPointer(message))
        }
        let digest = (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian, e.bigEndian)
        withUnsafeBytes(of: digest) { Base64.encode($0, into: &buffer) }
    }

    /// Base64 of 16 bytes: 22 characters and two of padding.
    private var isKeyValid: Bool {
        guard self.key.count == Self.keyCount, self.key[22] == UInt8(ascii: "="), self.key[23] == UInt8(ascii: "=")
        else { return false }
        return self.key[..<22].allSatisfy { Base64.isAlphabet($0) }
    }

    /// Whether a comma-separated list has this token, in any case.
    private static func has(_ token: StaticString, in list: UnsafeRawBufferPointer) -> Bool {
        list.split(separator: UInt8(ascii: ",")).contains {
            self.equals(self.trimmed(UnsafeRawBufferPointer(rebasing: $0)), token)
        }
    }

    private static func trimmed(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var range = 0..<value.count
        while let first = range.first, value[first] == 0x20 || value[first] == 0x09 { range.removeFirst() }
        while let last = range.last, value[last] == 0x20 || value[last] == 0x09 { range.removeLast() }
        return UnsafeRawBufferPointer(rebasing: value[range])
    }

    /// Compares without regard to the case of ASCII letters; `text` is lower case.
    private static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count {
            let byte = bytes[index]
            let isUpper = byte &- UInt8(ascii: "A") < 26
            guard (isUpper ? byte | 0x20 : byte) == text.utf8Start[index] else { return false }
        }
        return true
    }
}
