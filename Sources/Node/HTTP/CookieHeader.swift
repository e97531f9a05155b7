/// The cookies of a request (RFC 6265 §4.2.1). A pair that is not well-formed is left out, as if it had not been sent.
package struct CookieHeader: Sendable {
    private let pairs: [(name: Substring, value: Substring)]

    package init(_ headers: some HeaderView) {
        self.init(headers.values("cookie"))
    }

    package init(_ lines: [String]) {
        var pairs: [(name: Substring, value: Substring)] = []
        for line in lines {
            for part in line.split(separator: ";") {
                var pair = part
                while let edge = pair.first, edge == " " || edge == "\t" { pair.removeFirst() }
                while let edge = pair.last, edge == " " || edge == "\t" { pair.removeLast() }
                guard let equals = pair.firstIndex(of: "=") else { continue }
                let name = pair[..<equals]
                let value = pair[pair.index(after: equals)...]
                guard Self.isToken(name), Self.isValue(value) else { continue }
                pairs.append((name, value))
            }
        }
        self.pairs = pairs
    }

    package enum Lookup: Sendable, Equatable {
        case absent
        case value(String)
        /// Sent twice: one of them is somebody else's, and nothing says which.
        case ambiguous
    }

    /// - Parameter name: compared exactly: `__host-session` is another cookie.
    package func lookup(_ name: String) -> Lookup {
        let values = self.pairs.filter { $0.name == name }
        return switch values.count {
        case 0: .absent
        case 1: .value(String(values[0].value))
        default: .ambiguous
        }
    }

    static func isToken(_ text: some StringProtocol) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>@,;:\\\"/[]?={}".utf8.contains($0) }
    }

    static func isValue(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x2C && $0 != 0x3B && $0 != 0x5C }
    }
}
