package import NIOCore

/// The objects that stand for attachments in the JSON of a binary packet: `{"_placeholder":true,"num":0}`
/// (SOCKETIO §10.2). For text that `JSONScanner` has accepted.
package enum Placeholders {
    /// One placeholder: where it stands, and the attachment it names.
    struct Found: Equatable {
        let range: Range<Int>
        let index: Int
    }

    /// Whether every placeholder in the text names one of `attachmentCount` attachments, and none stands inside
    /// another.
    package static func areValid(in json: UnsafeRawBufferPointer, attachmentCount: Int) -> Bool {
        guard self.mayOccur(in: json) else { return true }
        return self.walk(json) { $0.map { $0.index < attachmentCount } ?? false }
    }

    /// Whether the text has an object that a peer would take for a placeholder, valid or not.
    package static func occur(in json: UnsafeRawBufferPointer) -> Bool {
        guard self.mayOccur(in: json) else { return false }
        return !self.walk(json) { _ in false }
    }

    /// The attachment that the text as a whole stands for; nil where it is another value.
    package static func index(of json: UnsafeRawBufferPointer) -> Int? {
        guard json.first == UInt8(ascii: "{"), self.mayOccur(in: json) else { return nil }
        var index: Int?
        let isValid = self.walk(json) { found in
            if let found, found.range == 0..<json.count { index = found.index }
            return true
        }
        return isValid ? index : nil
    }

    /// Appends the text with its placeholders numbered anew, and the attachments they name behind the others.
    ///
    /// - Returns: false where a placeholder names no attachment.
    package static func renumber(
        _ json: UnsafeRawBufferPointer, attachments: [ByteBuffer], into buffer: inout ByteBuffer,
        appendingTo all: inout [ByteBuffer]
    ) -> Bool {
        var copied = 0
        let isValid = self.walk(json) { found in
            guard let found, found.index < attachments.count else { return false }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: json[copied..<found.range.lowerBound]))
            self.write(all.count, into: &buffer)
            all.append(attachments[found.index])
            copied = found.range.upperBound
            return true
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: json[copied...]))
        return isValid
    }

    static func write(_ index: Int, into buffer: inout ByteBuffer) {
        buffer.writeString("{\"_placeholder\":true,\"num\":\(index)}")
    }

    /// Almost every packet without placeholders is cleared by this: the key has to appear, plain or with an escape.
    private static func mayOccur(in json: UnsafeRawBufferPointer) -> Bool {
        let key: StaticString = "_placeholder"
        let count = key.utf8CodeUnitCount
        var index = 0
        while index < json.count {
            switch json[index] {
            case UInt8(ascii: "\\"): return true
            case UInt8(ascii: "_") where index + count <= json.count:
                var length = 1
                while length < count, json[index + length] == key.utf8Start[length] { length += 1 }
                if length == count { return true }
            default: break
            }
            index += 1
        }
        return false
    }

    private enum Key { case placeholder, number, other }

    /// An array or object that is open.
    private struct Open {
        let start: Int
        let isObject: Bool
        var key = Key.other
        var isPlaceholder = false
        var number: Range<Int>?
        var holdsPlaceholder = false
    }

    /// Visits the placeholders in the text's order, in one pass however deep they are (CVE-2020-36049). A placeholder
    /// is an object whose `_placeholder` is exactly `true`; of members that occur twice the last one counts.
    ///
    /// - Parameter visit: gets nil for a placeholder whose number is none; ends the walk by returning false.
    /// - Returns: false if ended, or if the text is malformed, or if a placeholder holds another one.
    private static func walk(_ json: UnsafeRawBufferPointer, _ visit: (Found?) -> Bool) -> Bool {
        var scanner = JSONScanner(json)
        var open: [Open] = []
        while true {
            scanner.skipWhitespace()
            var start = scanner.position
            let isObject = scanner.next == UInt8(ascii: "{")
            if isObject || scanner.next == UInt8(ascii: "[") {
                scanner.position += 1
                scanner.skipWhitespace()
                if !scanner.take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    open.append(Open(start: start, isObject: isObject))
                    if isObject { guard self.readKey(&scanner, of: &open[open.count - 1]) else { return false } }
                    continue
                }
            } else {
                guard scanner.skipValue() else { return false }
            }
            // A value is complete, from `start` to the position. It may complete what it stands in.
            var expectsValue = false
            while var top = open.last, !expectsValue {
                let last = open.count - 1
                let value = start..<scanner.position
                switch top.key {
                case .placeholder: top.isPlaceholder = json[value].elementsEqual("true".utf8)
                case .number: top.number = value
                case .other: break
                }
                scanner.skipWhitespace()
                if scanner.take(UInt8(ascii: ",")) {
                    if top.isObject { guard self.readKey(&scanner, of: &top) else { return false } }
                    open[last] = top
                    expectsValue = true
                } else {
                    guard scanner.take(top.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return false }
                    open.removeLast()
                    if top.isPlaceholder {
                        let range = top.start..<scanner.position
                        let found = top.number.flatMap { self.index(json[$0]) }.map { Found(range: range, index: $0) }
                        guard !top.holdsPlaceholder, visit(found) else { return false }
                    }
                    if last > 0, top.isPlaceholder || top.holdsPlaceholder { open[last - 1].holdsPlaceholder = true }
                    start = top.start
                }
            }
            if !expectsValue { return true }
        }
    }

    private static func readKey(_ scanner: inout JSONScanner, of object: inout Open) -> Bool {
        scanner.skipWhitespace()
        let start = scanner.position + 1
        guard scanner.skipString() else { return false }
        let raw = UnsafeRawBufferPointer(rebasing: scanner.bytes[start..<(scanner.position - 1)])
        let hasEscapes = scanner.lastStringHasEscapes
        object.key =
            JSONString.equals(raw, hasEscapes: hasEscapes, "_placeholder")
            ? .placeholder : JSONString.equals(raw, hasEscapes: hasEscapes, "num") ? .number : .other
        scanner.skipWhitespace()
        return scanner.take(UInt8(ascii: ":"))
    }

    /// Plain digits; fractions, exponents and signs are refused, whatever their value.
    private static func index(_ digits: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard digits.count <= 3 else { return nil }
        var index = 0
        for byte in digits {
            guard byte &- UInt8(ascii: "0") < 10 else { return nil }
            index = index * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return index
    }
}
