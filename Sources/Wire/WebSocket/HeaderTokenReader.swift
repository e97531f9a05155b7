/// Reads tokens and separators of a header field's value (RFC 9110 §5.6), byte by byte.
struct HeaderTokenReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { self.position == self.bytes.count }

    mutating func skipBlanks() {
        while self.position < self.bytes.count, self.bytes[self.position] == 0x20 || self.bytes[self.position] == 0x09 {
            self.position += 1
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard self.position < self.bytes.count, self.bytes[self.position] == byte else { return false }
        self.position += 1
        return true
    }

    /// - Returns: nil where there is none; nothing is taken then.
    mutating func token() -> String? {
        let start = self.position
        while self.position < self.bytes.count, Self.isTokenByte(self.bytes[self.position]) { self.position += 1 }
        guard self.position > start else { return nil }
        return String(decoding: self.bytes[start..<self.position], as: UTF8.self)
    }

    /// A token within quotes, the only kind of quoted value that extension parameters may have (RFC 6455 §9.1).
    mutating func quotedToken() -> String? {
        guard self.take(UInt8(ascii: "\"")) else { return nil }
        var text: [UInt8] = []
        while self.position < self.bytes.count {
            var byte = self.bytes[self.position]
            self.position += 1
            if byte == UInt8(ascii: "\"") { return text.isEmpty ? nil : String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard self.position < self.bytes.count else { return nil }
                byte = self.bytes[self.position]
                self.position += 1
            }
            guard Self.isTokenByte(byte) else { return nil }
            text.append(byte)
        }
        return nil
    }

    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
