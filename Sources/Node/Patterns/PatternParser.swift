/// Reads the regular expressions of ECMA-262 with the flag `u`, as JSON Schema means them (§6.4 of its core): what is not
/// regular is refused by name. Punctuation may be escaped without need.
struct PatternParser {
    /// Groups within each other.
    static let depthLimit = 50
    static let captureLimit = 50

    let text: [Unicode.Scalar]
    var position = 0
    private(set) var names: [String?] = []
    private var depth = 0

    /// - Returns: the pattern, and the names of its captures, in their order.
    static func parse(_ text: String) throws(PatternError) -> (syntax: PatternSyntax, names: [String?]) {
        var parser = PatternParser(text: Array(text.unicodeScalars))
        let syntax = try parser.alternatives()
        guard parser.position == parser.text.count else { throw parser.error(.groupNotOpen) }
        return (syntax, parser.names)
    }

    private init(text: [Unicode.Scalar]) {
        self.text = text
    }

    var next: Unicode.Scalar? { self.position < self.text.count ? self.text[self.position] : nil }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard self.next == scalar else { return false }
        self.position += 1
        return true
    }

    func error(_ code: PatternError.Code, at offset: Int? = nil) -> PatternError {
        PatternError(code: code, offset: offset ?? self.position)
    }

    private mutating func alternatives() throws(PatternError) -> PatternSyntax {
        var parts = [try self.sequence()]
        while self.take("|") { parts.append(try self.sequence()) }
        return parts.count == 1 ? parts[0] : .alternatives(parts)
    }

    private mutating func sequence() throws(PatternError) -> PatternSyntax {
        var parts: [PatternSyntax] = []
        while let next = self.next, next != "|", next != ")" {
            let start = self.position
            let atom = try self.atom()
            guard let (min, max, isLazy) = try self.quantifier() else {
                parts.append(atom)
                continue
            }
            if case .assertion = atom { throw self.error(.nothingToRepeat, at: start) }
            parts.append(.repeated(atom, min: min, max: max, isLazy: isLazy))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func atom() throws(PatternError) -> PatternSyntax {
        let start = self.position
        let scalar = self.text[start]
        self.position += 1
        switch scalar {
        case "^": return .assertion(.start)
        case "$": return .assertion(.end)
        case ".": return .set(.dot)
        case "(": return try self.group(from: start)
        case "[": return .set(try self.characterClass(from: start))
        case "\\": return try self.escape(from: start)
        case "*", "+", "?": throw self.error(.nothingToRepeat, at: start)
        case "{", "}", "]": throw self.error(.loneBracket, at: start)
        default: return .scalar(scalar.value)
        }
    }

    private mutating func group(from start: Int) throws(PatternError) -> PatternSyntax {
        guard self.depth < Self.depthLimit else { throw self.error(.tooDeep, at: start) }
        var number: Int?
        if self.take("?") {
            switch self.next {
            case ":": self.position += 1
            case "=", "!": throw self.error(.lookAround, at: start)
            case "<":
                self.position += 1
                if self.next == "=" || self.next == "!" { throw self.error(.lookAround, at: start) }
                number = try self.newCapture(name: try self.groupName(), from: start)
            default: throw self.error(.groupKind, at: start)
            }
        } else {
            number = try self.newCapture(name: nil, from: start)
        }
        self.depth += 1
        let inner = try self.alternatives()
        self.depth -= 1
        guard self.take(")") else { throw self.error(.groupUnclosed, at: start) }
        return number.map { .capture(inner, $0) } ?? inner
    }

    private mutating func newCapture(name: String?, from start: Int) throws(PatternError) -> Int {
        guard self.names.count < Self.captureLimit else { throw self.error(.tooManyCaptures, at: start) }
        if let name, self.names.contains(name) { throw self.error(.groupName, at: start) }
        self.names.append(name)
        return self.names.count
    }

    private mutating func groupName() throws(PatternError) -> String {
        var name = ""
        while let next = self.next, next != ">" {
            let isStart = next.properties.isIDStart || next == "_" || next == "$"
            guard isStart || (!name.isEmpty && next.properties.isIDContinue) else { throw self.error(.groupName) }
            name.unicodeScalars.append(next)
            self.position += 1
        }
        guard !name.isEmpty, self.take(">") else { throw self.error(.groupName) }
        return name
    }

    private mutating func quantifier() throws(PatternError) -> (min: Int, max: Int?, isLazy: Bool)? {
        let start = self.position
        var bounds: (min: Int, max: Int?)
        switch self.next {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{":
            self.position += 1
            guard let min = self.number() else { throw self.error(.loneBracket, at: start) }
            bounds = (min, min)
            if self.take(",") { bounds.max = self.number() }
            guard self.next == "}" else { throw self.error(.loneBracket, at: start) }
            if let max = bounds.max, max < min { throw self.error(.quantifierRange, at: start) }
        default: return nil
        }
        self.position += 1
        let isLazy = self.take("?")
        if let next = self.next, next == "*" || next == "+" || next == "?" || next == "{" {
            throw self.error(.nothingToRepeat)
        }
        return (bounds.min, bounds.max, isLazy)
    }

    /// Decimal digits; what is beyond every limit stays there.
    private mutating func number() -> Int? {
        let start = self.position
        var value = 0
        while let next = self.next, ("0"..."9").contains(next) {
            value = min(value * 10 + Int(next.value - 0x30), 1_000_000)
            self.position += 1
        }
        return self.position == start ? nil : value
    }
}
