/// Hands out the elements of one JSON array as ranges of its text, one at a time and without a tree.
package struct JSONArrayReader {
    private var scanner: JSONScanner
    private var isFirst = true
    /// Whether the text turned out not to be an array, or not valid JSON. `next()` then returns nil.
    package private(set) var isMalformed: Bool

    /// - Parameter bytes: the whole array, brackets included. Ranges are offsets into it.
    package init(_ bytes: UnsafeRawBufferPointer) {
        self.scanner = JSONScanner(bytes)
        self.scanner.skipWhitespace()
        self.isMalformed = !self.scanner.take(UInt8(ascii: "["))
    }

    /// - Returns: the text of the next element without white space around it; nil behind the last one.
    package mutating func next() -> Range<Int>? {
        guard !self.isMalformed else { return nil }
        self.scanner.skipWhitespace()
        if self.scanner.next == UInt8(ascii: "]") {
            // Not taken: another call ends here again.
            return nil
        }
        if !self.isFirst {
            guard self.scanner.take(UInt8(ascii: ",")) else { return self.fail() }
            self.scanner.skipWhitespace()
        }
        self.isFirst = false
        let start = self.scanner.position
        guard self.scanner.skipValue(depth: 1) else { return self.fail() }
        return start..<self.scanner.position
    }

    private mutating func fail() -> Range<Int>? {
        self.isMalformed = true
        return nil
    }
}
