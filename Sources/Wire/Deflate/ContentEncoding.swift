/// The codings of an HTTP answer's body, and which of them a client wants (RFC 9110 §12.5.3).
package enum ContentEncoding: String, Sendable {
    case gzip, deflate

    /// - Parameter fields: the values of `Accept-Encoding`.
    /// - Returns: the one with the highest weight, gzip before deflate; nil where the body goes as it is.
    package static func negotiate(_ fields: [String]) -> ContentEncoding? {
        var weights: [String: Int] = [:]
        for element in fields.flatMap({ $0.split(separator: ",") }) {
            let parts = element.split(separator: ";", omittingEmptySubsequences: false).map(self.trimmed)
            guard let name = parts.first.map(String.init), !name.isEmpty else { continue }
            var weight: Int? = 1_000
            for part in parts.dropFirst() where part.hasPrefix("q=") { weight = self.weight(part.dropFirst(2)) }
            // Who sends a malformed weight gets what everybody understands.
            guard let weight else { continue }
            weights[name == "x-gzip" ? "gzip" : name] = weight
        }
        let other = weights["*"] ?? 0
        let gzip = weights["gzip"] ?? other
        let deflate = weights["deflate"] ?? other
        let best = max(gzip, deflate)
        guard best > 0, best >= weights["identity"] ?? 0 else { return nil }
        return gzip >= deflate ? .gzip : .deflate
    }

    /// `0`, `0.` and `1` with up to three decimals, in thousandths.
    private static func weight(_ text: Substring) -> Int? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts[0] == "0" || parts[0] == "1" else { return nil }
        var weight = parts[0] == "1" ? 1_000 : 0
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            let digits = parts[1] + String(repeating: "0", count: 3 - parts[1].utf8.count)
            weight += Int(digits) ?? 0
        }
        return weight <= 1_000 ? weight : nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        Substring(text.lowercased().filter { $0 != " " && $0 != "\t" })
    }
}
