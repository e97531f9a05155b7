import Testing

@testable import Node

@Suite("AC-2, AC-6, RM-4: regular expressions")
struct TextPatternTests {
    @Test(
        "What a pattern finds first, and its captures",
        arguments: [
            ("abc", "xabcx", "abc", []), ("a|ab", "ab", "a", []), ("a*", "aaa", "aaa", []), ("a*?", "aaa", "", []),
            ("a+?", "aaa", "a", []), ("(a)|(b)", "b", "b", [nil, "b"]), ("(?:(a)|b)*", "ab", "ab", [nil]),
            ("(a*)*", "b", "", [nil]), ("(a*)+", "b", "", [""]), ("(|a)*", "aa", "aa", ["a"]),
            ("(|a)+", "aa", "aa", ["a"]),
            ("(z)((a+)?(b+)?(c))*", "zaacbbbcac", "zaacbbbcac", ["z", "ac", "a", nil, "c"]),
            ("x{2,3}", "xxxx", "xxx", []), ("x{2,3}?", "xxxx", "xx", []), ("x{2,}", "xxxx", "xxxx", []),
            ("x{0}y", "y", "y", []),
            ("(?<year>[0-9]{4})-(?<month>[0-9]{2})", "on 2026-11-26", "2026-11", ["2026", "11"]),
            (#"\bfoo\b"#, "a foo b", "foo", []), (#"\Boo"#, "foo", "oo", []), ("[^a-c]+", "abcxyzabc", "xyz", []),
            ("[]", "a", nil, []), ("[^]", "\n", "\n", []), ("[a-]+", "a-b", "a-", []),
            (#"[\]\\]+"#, #"a]\"#, #"]\"#, []),
            (".", "\n", nil, []), (".+", "é\u{301}👍", "é\u{301}👍", []), (#"^\u{1F44D}$"#, "👍", "👍", []),
            (#"^\ud83d\udc4d$"#, "👍", "👍", []), (#"\x41\u0042\cJ\t\0"#, "AB\n\t\0", "AB\n\t\0", []),
            (#"^\p{Lu}\p{Letter}+\P{L}$"#, "Éa1", "Éa1", []), (#"[\p{Nd}_]+"#, "a৪_2b", "৪_2", []),
            (#"[^\p{L}\d]"#, "a1!", "!", []), (#"[\D]"#, "12x", "x", []), (#"\S+"#, " \u{FEFF}x", "x", []),
            ("a$", "a\n", nil, []), ("^b", "a\nb", nil, []), (#"\/\.\-\@\_"#, "/.-@_", "/.-@_", []), ("", "x", "", []),
            ("a||b", "b", "", []), ("(?:)", "x", "", []), (#"[\b]"#, "\u{8}", "\u{8}", []),
        ] as [(String, String, String?, [String?])])
    func matching(pattern: String, text: String, found: String?, captures: [String?]) throws {
        let match = try TextPattern(pattern).firstMatch(in: text, limit: 100_000)
        #expect(match?.captures.first == found.map { .some($0) })
        if found != nil { #expect(match.map { Array($0.captures.dropFirst()) } == captures) }
        var steps = 100_000
        #expect(try TextPattern(pattern).matches(text, steps: &steps) == (found != nil))
    }

    @Test("A pattern for the whole text matches from end to end, whatever its alternatives")
    func whole() throws {
        let pattern = try TextPattern("a|ab|(b+)", isWhole: true)
        #expect(try pattern.firstMatch(in: "ab", limit: 1_000)?.range == 0..<2)
        #expect(try pattern.firstMatch(in: "abb", limit: 1_000) == nil)
        #expect(try pattern.firstMatch(in: "bbb", limit: 1_000)?.captures == ["bbb", "bbb"])
    }

    @Test(
        "What is not supported, or wrong, is named with its place",
        arguments: [
            (#"(a)\1"#, .backReference, 3), (#"(?<x>a)\k<x>"#, .backReference, 7), ("a(?=b)", .lookAround, 1),
            ("(?!b)", .lookAround, 0), ("(?<=b)", .lookAround, 0), ("(?<!b)", .lookAround, 0), ("(?i)a", .groupKind, 0),
            ("(?>a)", .groupKind, 0), ("(?<1>a)", .groupName, 3), ("(?<a>x)(?<a>y)", .groupName, 7),
            ("(?<a", .groupName, 4),
            ("a(b", .groupUnclosed, 1), ("a)b", .groupNotOpen, 1), (#"\y"#, .escape, 0), (#"\u12"#, .escape, 0),
            (#"\ud800"#, .escape, 0), (#"\c1"#, .escape, 0), (#"a\"#, .escape, 1), (#"\u{110000}"#, .escape, 0),
            (#"\01"#, .escape, 0), (#"\p{Script=Greek}"#, .property, 0), (#"\pL"#, .property, 0),
            ("[a", .classUnclosed, 0),
            ("[z-a]", .classRange, 1), (#"[\d-z]"#, .classRange, 1), ("*a", .nothingToRepeat, 0),
            ("a**", .nothingToRepeat, 2), ("^*", .nothingToRepeat, 0), ("a{3,1}", .quantifierRange, 1),
            ("a{,3}", .loneBracket, 1), ("a{x}", .loneBracket, 1), ("{", .loneBracket, 0), ("a]", .loneBracket, 1),
            ("a}", .loneBracket, 1), ("a{1,2", .loneBracket, 1),
        ] as [(String, PatternError.Code, Int)])
    func errors(pattern: String, code: PatternError.Code, offset: Int) {
        #expect(throws: PatternError(code: code, offset: offset)) { try TextPattern(pattern) }
    }

    @Test(
        "A program is bounded, also where a small text asks for a large one, or for much work without any",
        arguments: [
            ("a{5000}", .tooLarge), ("(?:(?:a{100}){100}){100}", .tooLarge),
            ("(?:(?:(?:){1000}){1000}){1000}", .tooLarge), ("(?:a*){99999999999999999999}", .tooLarge),
            (String(repeating: "(?:a?", count: 51) + String(repeating: ")+", count: 51), .tooDeep),
            (String(repeating: "(?:a?", count: 49) + String(repeating: ")+", count: 49), .tooLarge),
            (String(repeating: "(a)", count: 51), .tooManyCaptures), (String(repeating: "a", count: 2_001), .tooLarge),
        ] as [(String, PatternError.Code)])
    func bounds(pattern: String, code: PatternError.Code) {
        let error = #expect(throws: PatternError.self) { try TextPattern(pattern) }
        #expect(error?.code == code)
    }

    @Test(
        "RM-4: patterns that ruin backtracking take steps in proportion to the text",
        arguments: [
            "(a+)+$", "(a|a)*b", "(a*)*b", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?:a?){30}a{30}b",
            "(.*)(.*)(.*)x$",
        ])
    func catastrophic(pattern: String) throws {
        let pattern = try TextPattern(pattern)
        func steps(_ count: Int) throws -> Int {
            var steps = 1_000_000_000
            let isMatch = try pattern.matches(String(repeating: "a", count: count) + "!", steps: &steps)
            #expect(!isMatch)
            return 1_000_000_000 - steps
        }
        let size = pattern.text == "(a+)+$" ? 50_000 : 5_000
        let (short, long) = (try steps(size / 10), try steps(size))
        #expect(long <= 11 * short)
        #expect(long <= TextPattern.stepLimit(bytes: size + 1))
    }

    @Test("A match that may not take so many steps says so")
    func exhaustion() throws {
        let pattern = try TextPattern("(a+)+$")
        var steps = 100
        #expect(throws: TextPattern.Exhausted.self) {
            try pattern.matches(String(repeating: "a", count: 1_000), steps: &steps)
        }
        #expect(throws: TextPattern.Exhausted.self) {
            try pattern.firstMatch(in: String(repeating: "a", count: 1_000), limit: 100)
        }
    }

    @Test("AC-2: a path that ruins backtracking is not found, and the node lives on")
    func path() throws {
        let router = try ActionRouter([Action(.get, .pattern("/(a+)+(?<tail>b+)?c")) { _, _, _ in }])
        let long = "/" + String(repeating: "a", count: 8_000)
        guard case .notFound = router.match(.get, long) else {
            Issue.record("found")
            return
        }
        guard case .found(_, let params) = router.match(.get, long + "bbc") else {
            Issue.record("not found")
            return
        }
        #expect(params == ["1": String(repeating: "a", count: 8_000), "tail": "bb"])
        for text in [#"/(a)\1"#, "/(?=a)", "/a{9999}", "/[a"] {
            #expect(ActionPath.pattern(text).complaint != nil)
        }
    }
}
