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
        // Offsets of bytes, not of characters: a blank and a combining mark behind it are one character, and no blank.
        var text = String(decoding: head, as: UTF8.self)
        let parts = try text.withUTF8 { bytes in
            Result { () throws(Refusal) in try Parts(bytes, limits: limits) }
        }.get()
        let whole = text
        func part(_ range: Range<Int>) -> Substring {
            let start = whole.utf8.index(whole.startIndex, offsetBy: range.lowerBound)
            return whole[start..<whole.utf8.index(start, offsetBy: range.count)]
        }
        self.method = part(parts.method)
        self.target = part(parts.target)
        self.fields = parts.fields.map { (part($0.name), part($0.value)) }
    }

    /// Where everything stands.
    private struct Parts {
        var method: Range<Int>
        var target: Range<Int>
        var fields: [(name: Range<Int>, value: Range<Int>)] = []

        init(_ bytes: UnsafeBufferPointer<UInt8>, limits: Limits) throws(Refusal) {
            var offset = 0
            let line = Self.line(bytes, &offset)
            let blanks = line.filter { bytes[$0] == UInt8(ascii: " ") }
            guard blanks.count == 2,
                bytes[(blanks[1] + 1)..<line.upperBound].elementsEqual("HTTP/1.1".utf8)
            else { throw .malformed }
            self.method = line.lowerBound..<blanks[0]
            self.target = (blanks[0] + 1)..<blanks[1]
            guard self.target.count <= limits.targetBytes else { throw .targetTooLong }
            self.fields.reserveCapacity(16)
            while offset < bytes.count {
                let field = Self.line(bytes, &offset)
                if field.isEmpty { break }
                guard let colon = bytes[field].firstIndex(of: UInt8(ascii: ":")), colon != field.lowerBound
                else { throw .malformed }
                guard self.fields.count < limits.fieldCount else { throw .tooManyFields }
                let name = field.lowerBound..<colon
                guard bytes[name].allSatisfy(UpgradeRequest.isTokenByte) else { throw .malformed }
                var (start, end) = (colon + 1, field.upperBound)
                while start < end, UpgradeRequest.isBlank(bytes[start]) { start += 1 }
                while start < end, UpgradeRequest.isBlank(bytes[end - 1]) { end -= 1 }
                guard bytes[start..<end].allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 })
                else { throw .malformed }
                self.fields.append((name, start..<end))
            }
        }

        /// Takes a line, without its end.
        private static func line(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: inout Int) -> Range<Int> {
            let start = offset
            var end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            offset = min(end + 1, bytes.count)
            if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
            return start..<end
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"): true
        default: "!#$%&'*+.^_`|~".utf8.contains(byte)
        }
    }
}
