/// The query of a request: pairs of percent-decoded names and values.
package enum EngineQuery {
    /// Pairs of one query (SOCKETIO §18 bounds the target's bytes; this bounds the work per byte).
    package static let maxPairs = 100

    /// Calls `body` for each pair, in order.
    ///
    /// - Returns: false where the query is malformed: a `%` without two hex digits, values that are not UTF-8, too many
    ///   pairs. Answer 400 (SOCKETIO §2.2).
    package static func forEach(_ query: UnsafeRawBufferPointer, _ body: (String, String) -> Void) -> Bool {
        var start = 0
        var pairs = 0
        while start < query.count {
            var end = start
            while end < query.count, query[end] != UInt8(ascii: "&") { end += 1 }
            if end > start {
                pairs += 1
                var middle = start
                while middle < end, query[middle] != UInt8(ascii: "=") { middle += 1 }
                guard pairs <= self.maxPairs,
                    let name = self.decode(UnsafeRawBufferPointer(rebasing: query[start..<middle])),
                    let value = self.decode(UnsafeRawBufferPointer(rebasing: query[min(middle + 1, end)..<end]))
                else { return false }
                body(name, value)
            }
            start = end + 1
        }
        return true
    }

    /// Undoes percent-encoding; a plus sign is a blank, as browsers encode forms.
    package static func decode(_ text: UnsafeRawBufferPointer) -> String? {
        guard text.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") || $0 >= 0x80 }) else {
            return String(decoding: text, as: UTF8.self)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "%"):
                guard index + 2 < text.count, let high = JSONString.hexDigit(text[index + 1]),
                    let low = JSONString.hexDigit(text[index + 2])
                else { return nil }
                bytes.append(UInt8(high << 4 | low))
                index += 3
            case UInt8(ascii: "+"):
                bytes.append(0x20)
                index += 1
            case let byte:
                bytes.append(byte)
                index += 1
            }
        }
        return bytes.withUnsafeBytes { UTF8Validation.isValid($0) ? String(decoding: $0, as: UTF8.self) : nil }
    }
}
