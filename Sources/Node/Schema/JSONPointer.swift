/// JSON pointers (RFC 6901), as text.
enum JSONPointer {
    static func escape(_ token: String) -> String {
        guard token.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return token }
        return token.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "~": text += "~0"
            case "/": text += "~1"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    static func text(_ tokens: some Sequence<String>) -> String {
        tokens.reduce(into: "") { $0 += "/" + self.escape($1) }
    }

    /// - Returns: nil for a text that is no pointer.
    static func tokens(_ text: String) -> [String]? {
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        var tokens: [String] = []
        for part in text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst() {
            var token = ""
            var rest = Substring(part).unicodeScalars
            while let scalar = rest.popFirst() {
                guard scalar == "~" else {
                    token.unicodeScalars.append(scalar)
                    continue
                }
                switch rest.popFirst() {
                case "0": token += "~"
                case "1": token += "/"
                default: return nil
                }
            }
            tokens.append(token)
        }
        return tokens
    }

    /// - Returns: nil where there is nothing.
    static func value(at tokens: [String], in root: JSONValue) -> JSONValue? {
        tokens.reduce(root as JSONValue?) { value, token in
            switch value {
            case .object(let members): members[token]
            case .array: Int(token).flatMap { String($0) == token ? value?[$0] : nil }
            default: nil
            }
        }
    }
}
