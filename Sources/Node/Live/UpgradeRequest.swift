/// The head of an HTTP/1.1 request, read by ourselves to find out whether it is a WebSocket upgrade for the engine path:
/// those never meet an HTTP pipeline. Everything else is handed on byte for byte.
package struct UpgradeRequest {
    package let method: Substring
    package let target: Substring
    package let fields: [(name: Substring, value: Substring)]

    package enum Refusal: Error, Equatable {
        case malformed
        case targetTooLong
        case tooManyFields
    }

    /// SOCKETIO §18.
    package struct Limits: Sendable {
        package var headerBytes = 16_384
        package var fieldCount = 100
        package var targetBytes = 8_192

        package init() {}
    }

    /// - Parameter head: up to and including the blank line.
    package init(head: some Collection<UInt8>, limits: Limits) throws(Refusal) {
        let text = String(decoding: head, as: UTF8.self)
        var lines = text.utf8[...]
        // Bytes, not characters: a blank and a combining mark behind it are one character, and no blank.
        let parts = Self.nextLine(&lines).split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].elementsEqual("HTTP/1.1".utf8) else { throw .malformed }
        guard parts[1].count <= limits.targetBytes else { throw .targetTooLong }
        self.method = Substring(parts[0])
        self.target = Substring(parts[1])
        var fields: [(name: Substring, value: Substring)] = []
        fields.reserveCapacity(16)
        while !lines.isEmpty {
            let field = Self.nextLine(&lines)
            if field.isEmpty { break }
            guard let colon = field.firstIndex(of: UInt8(ascii: ":")), colon != field.startIndex
            else { throw .malformed }
            guard fields.count < limits.fieldCount else { throw .tooManyFields }
            let name = Substring(field[..<colon])
            guard name.utf8.allSatisfy(Self.isTokenByte) else { throw .malformed }
            var value = field[field.index(after: colon)...]
            while let edge = value.first, Self.isBlank(edge) { value.removeFirst() }
            while let edge = value.last, Self.isBlank(edge) { value.removeLast() }
            guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { throw .malformed }
            fields.append((name, Substring(value)))
        }
        self.fields = fields
    }

    /// Takes a line off, without its end.
    private static func nextLine(_ lines: inout Substring.UTF8View) -> Substring.UTF8View {
        let end = lines.firstIndex(of: UInt8(ascii: "\n")) ?? lines.endIndex
        var line = lines[..<end]
        lines = end == lines.endIndex ? lines[end...] : lines[lines.index(after: end)...]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
