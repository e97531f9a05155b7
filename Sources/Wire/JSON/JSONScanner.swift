/// Validates JSON text (RFC 8259) byte by byte: no tree, no allocation, no recursion. Reads any bytes safely; that
/// strings are well-formed UTF-8 is the caller's to check (`UTF8Validation`), once for a whole message.
///
/// The nesting is capped at `depthLimit` while scanning (SPEC WS-3, SOCKETIO §10.4), so whoever walks a validated text
/// recursively has a bounded stack.
package struct JSONScanner {
    /// Deepest nesting of arrays and objects; one bit of a word per level, so it cannot be raised.
    package static let depthLimit = 64

    /// The text; borrowed for the life of the scanner.
    package let bytes: UnsafeRawBufferPointer
    /// Offset of the next byte to look at.
    package var position: Int
    /// Whether the string skipped last held a backslash: without one its bytes are its value.
    package private(set) var lastStringHasEscapes = false

    package init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// - Returns: whether the bytes are one JSON value with nothing but white space around it.
    package static func isValid(_ bytes: UnsafeRawBufferPointer, depth: Int = 0) -> Bool {
        var scanner = JSONScanner(bytes)
        guard scanner.skipValue(depth: depth) else { return false }
        scanner.skipWhitespace()
        return scanner.position == bytes.count
    }

    /// Whether a value was refused for its nesting.
    package private(set) var isTooDeep = false

    /// The next byte, without taking it; nil at the end.
    package var next: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    package mutating func skipWhitespace() {
        while self.position < self.bytes.count {
            switch self.bytes[self.position] {
            case 0x20, 0x09, 0x0A, 0x0D: self.position += 1
            default: return
            }
        }
    }

    /// Takes `byte` if it is the next one.
    package mutating func take(_ byte: UInt8) -> Bool {
        guard self.next == byte else { return false }
        self.position += 1
        return true
    }

    /// Skips white space and one whole value.
    ///
    /// - Parameter depth: how many containers are open around the value already.
    /// - Returns: false, with the position somewhere in the value, if it is malformed or nested too deeply.
    package mutating func skipValue(depth: Int = 0) -> Bool {
        var kinds: UInt64 = 0  // one bit per open container, the innermost lowest: 1 is an object
        var open = 0
        while true {
            self.skipWhitespace()
            guard let first = self.next else { return false }
            switch first {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth + open < Self.depthLimit else {
                    self.isTooDeep = true
                    return false
                }
                let isObject = first == UInt8(ascii: "{")
                self.position += 1
                self.skipWhitespace()
                if self.take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { break }
                open += 1
                kinds = kinds << 1 | (isObject ? 1 : 0)
                if isObject { guard self.skipKey() else { return false } }
                continue
            case UInt8(ascii: "\""): guard self.skipString() else { return false }
            case UInt8(ascii: "t"): guard self.skipLiteral("true") else { return false }
            case UInt8(ascii: "f"): guard self.skipLiteral("false") else { return false }
            case UInt8(ascii: "n"): guard self.skipLiteral("null") else { return false }
            default: guard self.skipNumber() else { return false }
            }
            // A value is complete: close what ends here, until another value has to follow or all is closed.
            var expectsValue = false
            while open > 0, !expectsValue {
                self.skipWhitespace()
                let isObject = kinds & 1 == 1
                if self.take(UInt8(ascii: ",")) {
                    if isObject {
                        self.skipWhitespace()
                        guard self.skipKey() else { return false }
                    }
                    expectsValue = true
                } else if self.take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    kinds >>= 1
                    open -= 1
                } else {
                    return false
                }
            }
            if !expectsValue { return true }
        }
    }

    /// Skips a string, from its opening quote to behind the closing one. Eight bytes a step.
    package mutating func skipString() -> Bool {
        guard self.take(UInt8(ascii: "\"")) else { return false }
        self.lastStringHasEscapes = false
        while true {
            while self.position + 8 <= self.bytes.count {
                let word = UInt64(
                    littleEndian: self.bytes.loadUnaligned(fromByteOffset: self.position, as: UInt64.self))
                let marks = Self.specialBytes(in: word)
                if marks == 0 {
                    self.position += 8
                } else {
                    self.position += marks.trailingZeroBitCount >> 3
                    break
                }
            }
            guard let byte = self.next else { return false }
            self.position += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte < 0x20 { return false }
            if byte == UInt8(ascii: "\\") {
                self.lastStringHasEscapes = true
                guard self.skipEscape() else { return false }
            }
        }
    }

    /// Skips a number of JSON's grammar: no plus sign, no leading zero, no bare point.
    package mutating func skipNumber() -> Bool {
        _ = self.take(UInt8(ascii: "-"))
        if !self.take(UInt8(ascii: "0")) { guard self.skipDigits() else { return false } }
        if self.take(UInt8(ascii: ".")) { guard self.skipDigits() else { return false } }
        if self.take(UInt8(ascii: "e")) || self.take(UInt8(ascii: "E")) {
            if !self.take(UInt8(ascii: "+")) { _ = self.take(UInt8(ascii: "-")) }
            guard self.skipDigits() else { return false }
        }
        return true
    }

    /// Skips an object's key and the colon behind it.
    package mutating func skipKey() -> Bool {
        guard self.skipString() else { return false }
        self.skipWhitespace()
        return self.take(UInt8(ascii: ":"))
    }

    private mutating func skipDigits() -> Bool {
        let start = self.position
        while let byte = self.next, byte &- UInt8(ascii: "0") < 10 { self.position += 1 }
        return self.position > start
    }

    private mutating func skipEscape() -> Bool {
        guard let byte = self.next else { return false }
        self.position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return true
        case UInt8(ascii: "u"):
            guard self.position + 4 <= self.bytes.count else { return false }
            for offset in 0..<4 {
                guard JSONString.hexDigit(self.bytes[self.position + offset]) != nil else { return false }
            }
            self.position += 4
            return true
        default: return false
        }
    }

    private mutating func skipLiteral(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard self.position + count <= self.bytes.count else { return false }
        for offset in 0..<count where self.bytes[self.position + offset] != literal.utf8Start[offset] { return false }
        self.position += count
        return true
    }

    /// The high bit of each byte that is a quote, a backslash or a control character. Bits above the lowest one may be
    /// wrong (a borrow of the subtraction), the lowest is exact.
    @inline(__always)
    private static func specialBytes(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let found =
            ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | ((word &- (ones &* 0x20)) & ~word)
        return found & (ones &* 0x80)
    }
}
