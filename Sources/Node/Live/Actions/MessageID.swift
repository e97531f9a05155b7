package import NIOCore
import Wire

/// The `_id` by which a client knows the answer to what it has sent (SPEC WS-1): an integer, or a string of at most 64 bytes.
package struct MessageID: Sendable {
    /// Bytes of a string.
    package static let longest = 64

    private enum Value: Hashable {
        case integer(Int64)
        case text(String)
    }

    private let value: Value
    /// As the client wrote it, which is how it goes back.
    package let json: ByteBuffer

    /// - Parameter json: one valid JSON value, without white space around it.
    /// - Returns: nil for anything but an id. A whole number that 64 bits cannot hold is none.
    init?(json: UnsafeRawBufferPointer) {
        guard let first = json.first else { return nil }
        if first == UInt8(ascii: "\"") {
            let inside = UnsafeRawBufferPointer(rebasing: json[1..<(json.count - 1)])
            guard let text = JSONString.decodeStrict(inside), text.utf8.count <= Self.longest else { return nil }
            self.value = .text(text)
        } else {
            // Fractions and exponents are numbers, but not integers.
            guard json.count <= 20, let number = Int64(String(decoding: json, as: UTF8.self)) else { return nil }
            self.value = .integer(number)
        }
        self.json = ByteBuffer(bytes: json)
    }
}

/// Two spellings of one string are the same id.
extension MessageID: Hashable {
    package static func == (one: MessageID, other: MessageID) -> Bool { one.value == other.value }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.value) }
}
