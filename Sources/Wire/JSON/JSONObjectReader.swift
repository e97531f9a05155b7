/// Hands out the members of one JSON object as ranges of its text, one at a time and without a tree.
package struct JSONObjectReader {
    package struct Member: Equatable {
        /// The key's text between its quotes.
        package let key: Range<Int>
        /// Without escapes the key's bytes are its value.
        package let keyHasEscapes: Bool
        /// The value's text without white space around it.
        package let value: Range<Int>
    }

    private var scanner: JSONScanner
    private var isFirst = true
    /// Whether the text turned out not to be an object, or not valid JSON. `next()` then returns nil.
    package private(set) var isMalformed: Bool

    /// - Parameter bytes: the whole object, braces included. Ranges are offsets into it.
    package init(_ bytes: UnsafeRawBufferPointer) {
        self.scanner = JSONScanner(bytes)
        self.scanner.skipWhitespace()
        self.isMalformed = !self.scanner.take(UInt8(ascii: "{"))
    }

    /// - Returns: the next member; nil behind the last one. A key that occurs twice is handed out twice.
    package mutating func next() -> Member? {
        guard !self.isMalformed else { return nil }
        self.scanner.skipWhitespace()
        if self.scanner.next == UInt8(ascii: "}") { return nil }
        if !self.isFirst {
            guard self.scanner.take(UInt8(ascii: ",")) else { return self.fail() }
            self.scanner.skipWhitespace()
        }
        self.isFirst = false
        let keyStart = self.scanner.position + 1
        guard self.scanner.skipString() else { return self.fail() }
        let key = keyStart..<(self.scanner.position - 1)
        let keyHasEscapes = self.scanner.lastStringHasEscapes
        self.scanner.skipWhitespace()
        guard self.scanner.take(UInt8(ascii: ":")) else { return self.fail() }
        self.scanner.skipWhitespace()
        let start = self.scanner.position
        guard self.scanner.skipValue(depth: 1) else { return self.fail() }
        return Member(key: key, keyHasEscapes: keyHasEscapes, value: start..<self.scanner.position)
    }

    /// The text of the member called `name`, the last one where it occurs twice (SOCKETIO §10.4: as in JavaScript).
    package static func value(of name: StaticString, in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        var reader = JSONObjectReader(bytes)
        var found: Range<Int>?
        while let member = reader.next() {
            let key = UnsafeRawBufferPointer(rebasing: bytes[member.key])
            if JSONString.equals(key, hasEscapes: member.keyHasEscapes, name) { found = member.value }
        }
        return reader.isMalformed ? nil : found
    }

    private mutating func fail() -> Member? {
        self.isMalformed = true
        return nil
    }
}
