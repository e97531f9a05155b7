/// Content negotiation between the two forms of an answer (SPEC AC-8, RFC 9110 §12.5.1).
enum AcceptHeader {
    /// HTML only where it is preferred to JSON.
    static func format(_ values: [String]) -> ActionRequest.Format {
        guard !values.isEmpty else { return .json }
        let ranges = values.flatMap { $0.split(separator: ",") }.compactMap(self.range)
        let html = max(self.weight("text", "html", ranges), self.weight("application", "xhtml+xml", ranges))
        return html > self.weight("application", "json", ranges) ? .html : .json
    }

    /// The weight of the most specific range that covers the type, in thousandths.
    private static func weight(
        _ type: Substring, _ subtype: Substring, _ ranges: [(type: Substring, subtype: Substring, weight: Int)]
    ) -> Int {
        let exact = ranges.first { $0.type == type && $0.subtype == subtype }
        let partial = ranges.first { $0.type == type && $0.subtype == "*" }
        let any = ranges.first { $0.type == "*" && $0.subtype == "*" }
        return (exact ?? partial ?? any)?.weight ?? 0
    }

    private static func range(_ text: Substring) -> (type: Substring, subtype: Substring, weight: Int)? {
        let parts = text.lowercased().split(separator: ";").map { Substring($0.filter { $0 != " " && $0 != "\t" }) }
        guard let names = parts.first?.split(separator: "/", omittingEmptySubsequences: false), names.count == 2,
            !names[0].isEmpty, !names[1].isEmpty
        else { return nil }
        var weight = 1_000
        for part in parts.dropFirst() where part.hasPrefix("q=") {
            guard let value = Double(part.dropFirst(2)), (0...1).contains(value) else { return nil }
            weight = Int(value * 1_000)
        }
        return (names[0], names[1], weight)
    }
}
