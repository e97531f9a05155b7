/// Where an action answers (SPEC AC-2): a literal path with `:name` parameters and perhaps a trailing `*` or `*name`
/// that takes the rest, or an anchored regular expression.
///
/// A string literal is a path: `"/posts/:id"`, `"/files/*path"`.
public struct ActionPath: Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    enum Form: Sendable {
        case segments([Segment], rest: String?)
        case pattern(TextPattern)
        /// The text that is not a path; ``complaint`` says why. Found at registration.
        case invalid(why: String)
    }

    enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
    }

    /// What a path holds for a route: percent-decoded captures (nil for one that is absent), or no match.
    enum Match: Equatable {
        case none
        case badEscape
        case params([String: String])
    }

    /// As registered; the action's name in logs and metrics.
    public let description: String
    let form: Form

    public init(stringLiteral value: String) {
        self.init(value)
    }

    /// - Parameter text: starts with a slash.
    public init(_ text: String) {
        self.description = text
        self.form = Self.parse(text)
    }

    private init(description: String, form: Form) {
        self.description = description
        self.form = form
    }

    /// A regular expression (ECMA-262 without back-references and look-around) over the whole raw path, which it is
    /// matched against in time linear in the path. Named captures become parameters, others are called `1`, `2`, ….
    public static func pattern(_ text: String) -> ActionPath {
        do {
            return ActionPath(description: text, form: .pattern(try TextPattern(text, isWhole: true)))
        } catch {
            return ActionPath(description: text, form: .invalid(why: "it is not a regular expression: \(error)"))
        }
    }

    /// What is wrong with it, in words; nil when nothing is.
    var complaint: String? {
        if case .invalid(let why) = self.form { why } else { nil }
    }

    /// - Parameters:
    ///   - path: as sent, for a pattern.
    ///   - segments: its percent-decoded segments.
    func match(_ path: String, _ segments: [String]) -> Match {
        switch self.form {
        case .invalid: .none
        case .segments(let expected, let rest): Self.match(segments, expected, rest)
        case .pattern(let pattern): Self.match(path, pattern)
        }
    }

    /// - Returns: the segments of a path behind its first slash, decoded; nil for a bad escape or bad UTF-8.
    static func segments(of path: String) -> [String]? {
        var segments: [String] = []
        for part in path.dropFirst().utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let segment = PercentEncoding.decode(Substring(part)) else { return nil }
            segments.append(segment)
        }
        return segments
    }

    private static func parse(_ text: String) -> Form {
        guard text.hasPrefix("/") else { return .invalid(why: "a path starts with a slash") }
        var parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var rest: String?
        if let last = parts.last, last.hasPrefix("*") {
            rest = last == "*" ? "rest" : String(last.dropFirst())
            parts.removeLast()
        }
        var segments: [Segment] = []
        var names = Set([rest].compactMap(\.self))
        for part in parts {
            guard part.hasPrefix(":") else {
                guard !part.hasPrefix("*") else { return .invalid(why: "only the last segment may be the rest") }
                segments.append(.literal(String(part)))
                continue
            }
            let name = String(part.dropFirst())
            guard !name.isEmpty, names.insert(name).inserted else {
                return .invalid(why: "its parameters need names, each its own")
            }
            segments.append(.parameter(name))
        }
        return .segments(segments, rest: rest)
    }

    private static func match(_ segments: [String], _ expected: [Segment], _ rest: String?) -> Match {
        guard rest == nil ? segments.count == expected.count : segments.count > expected.count else { return .none }
        var params: [String: String] = [:]
        for (segment, expected) in zip(segments, expected) {
            switch expected {
            case .literal(let text): guard segment == text else { return .none }
            case .parameter(let name):
                guard !segment.isEmpty else { return .none }
                params[name] = segment
            }
        }
        if let rest { params[rest] = segments[expected.count...].joined(separator: "/") }
        return .params(params)
    }

    /// Of a path that is longer than HTTP lets in, one that takes too long is at no action's.
    private static func match(_ path: String, _ pattern: TextPattern) -> Match {
        let match: TextPattern.Match?
        do {
            match = try pattern.firstMatch(in: path, limit: TextPattern.stepLimit(bytes: 8_192))
        } catch {
            return .none
        }
        guard let match else { return .none }
        var params: [String: String] = [:]
        for (index, capture) in match.captures.enumerated().dropFirst() {
            guard let capture else { continue }
            guard let value = PercentEncoding.decode(capture) else { return .badEscape }
            params[pattern.names[index - 1] ?? String(index)] = value
        }
        return .params(params)
    }
}
