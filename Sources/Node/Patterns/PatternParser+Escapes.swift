extension PatternParser {
    private enum Member {
        case scalar(UInt32)
        case set(PatternSet)
    }

    /// Behind the backslash at `start`, outside of a class.
    mutating func escape(from start: Int) throws(PatternError) -> PatternSyntax {
        switch self.next {
        case "b":
            self.position += 1
            return .assertion(.wordBoundary)
        case "B":
            self.position += 1
            return .assertion(.noWordBoundary)
        case "k": throw self.error(.backReference, at: start)
        case .some("1"..."9"): throw self.error(.backReference, at: start)
        default:
            switch try self.member(from: start) {
            case .scalar(let value): return .scalar(value)
            case .set(let set): return .set(set)
            }
        }
    }

    /// Behind the opening bracket at `start`.
    mutating func characterClass(from start: Int) throws(PatternError) -> PatternSet {
        let isInverted = self.take("^")
        var set = PatternSet()
        while !self.take("]") {
            let place = self.position
            let first = try self.classMember(from: start)
            guard self.next == "-", self.position + 1 < self.text.count, self.text[self.position + 1] != "]" else {
                switch first {
                case .scalar(let value): set.insert(value...value)
                case .set(let other): set.formUnion(other)
                }
                continue
            }
            self.position += 1
            guard case .scalar(let low) = first, case .scalar(let high) = try self.classMember(from: start), low <= high
            else { throw self.error(.classRange, at: place) }
            set.insert(low...high)
        }
        set.normalize(inverting: isInverted)
        return set
    }

    private mutating func classMember(from start: Int) throws(PatternError) -> Member {
        guard let scalar = self.next else { throw self.error(.classUnclosed, at: start) }
        self.position += 1
        guard scalar == "\\" else { return .scalar(scalar.value) }
        let place = self.position - 1
        if self.take("b") { return .scalar(0x08) }
        return try self.member(from: place)
    }

    private mutating func member(from start: Int) throws(PatternError) -> Member {
        guard let scalar = self.next else { throw self.error(.escape, at: start) }
        self.position += 1
        switch scalar {
        case "d": return .set(.digit)
        case "D": return .set(Self.inverted(.digit))
        case "w": return .set(.word)
        case "W": return .set(Self.inverted(.word))
        case "s": return .set(.space)
        case "S": return .set(Self.inverted(.space))
        case "p", "P": return .set(try self.property(isInverted: scalar == "P", from: start))
        case "t": return .scalar(0x09)
        case "n": return .scalar(0x0A)
        case "v": return .scalar(0x0B)
        case "f": return .scalar(0x0C)
        case "r": return .scalar(0x0D)
        case "0":
            if let next = self.next, ("0"..."9").contains(next) { throw self.error(.escape, at: start) }
            return .scalar(0)
        case "c":
            guard let letter = self.next, letter.isASCII, letter.properties.isAlphabetic else {
                throw self.error(.escape, at: start)
            }
            self.position += 1
            return .scalar(letter.value % 32)
        case "x": return .scalar(try self.hexadecimal(2, from: start))
        case "u": return .scalar(try self.codePoint(from: start))
        default:
            // A letter or digit may get a meaning one day, anything else stands for itself.
            guard scalar.isASCII, !PatternSet.word.contains(scalar.value) || scalar == "_", scalar.value > 0x20 else {
                throw self.error(.escape, at: start)
            }
            return .scalar(scalar.value)
        }
    }

    private static func inverted(_ set: PatternSet) -> PatternSet {
        var set = set
        set.normalize(inverting: true)
        return set
    }

    /// `{L}`, `{gc=Lu}`.
    private mutating func property(isInverted: Bool, from start: Int) throws(PatternError) -> PatternSet {
        guard self.take("{"), let end = self.text[self.position...].firstIndex(of: "}") else {
            throw self.error(.property, at: start)
        }
        let name = String(String.UnicodeScalarView(self.text[self.position..<end]))
        self.position = end + 1
        if name == "ASCII" {
            return isInverted ? PatternSet([0x80...0x10FFFF]) : PatternSet([0...0x7F])
        }
        guard let categories = PatternCategories(name: name[...]) else { throw self.error(.property, at: start) }
        return PatternSet(categories: isInverted ? categories.inverted : categories)
    }

    /// `\u00e9`, `\ud83d\ude00`, `\u{1F600}`.
    private mutating func codePoint(from start: Int) throws(PatternError) -> UInt32 {
        if self.take("{") {
            var value: UInt32 = 0
            var count = 0
            while let digit = self.hexDigit {
                value = min(value * 16 + digit, 0x110000)
                count += 1
                self.position += 1
            }
            guard count > 0, self.take("}"), Unicode.Scalar(value) != nil else { throw self.error(.escape, at: start) }
            return value
        }
        let high = try self.hexadecimal(4, from: start)
        guard (0xD800...0xDFFF).contains(high) else { return high }
        // Half a pair is no scalar: texts here hold none.
        guard high < 0xDC00, self.take("\\"), self.take("u") else { throw self.error(.escape, at: start) }
        let low = try self.hexadecimal(4, from: start)
        guard (0xDC00...0xDFFF).contains(low) else { throw self.error(.escape, at: start) }
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
    }

    private mutating func hexadecimal(_ count: Int, from start: Int) throws(PatternError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = self.hexDigit else { throw self.error(.escape, at: start) }
            value = value * 16 + digit
            self.position += 1
        }
        return value
    }

    private var hexDigit: UInt32? {
        switch self.next?.value {
        case .some(let value) where (0x30...0x39).contains(value): value - 0x30
        case .some(let value) where (0x41...0x46).contains(value): value - 0x41 + 10
        case .some(let value) where (0x61...0x66).contains(value): value - 0x61 + 10
        default: nil
        }
    }
}
