/// `domain/user`: the shard key of a user's state (SPEC §1). A domain has no slash, so the split is unambiguous.
package struct RouteKey: Hashable, Sendable, Comparable {
    package let text: String

    package init(domain: String, user: String) {
        self.text = "\(domain)/\(user)"
    }

    /// - Returns: nil for a text without a slash, or with an empty side.
    package init?(_ text: String) {
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")),
            slash != text.startIndex, text.utf8.index(after: slash) != text.endIndex
        else { return nil }
        self.text = text
    }

    private var slash: String.Index {
        guard let slash = self.text.utf8.firstIndex(of: UInt8(ascii: "/")) else {
            preconditionFailure("both initialisers put a slash")
        }
        return slash
    }

    package var domain: String { String(self.text[..<self.slash]) }
    package var user: String { String(self.text[self.text.utf8.index(after: self.slash)...]) }

    package static func < (left: RouteKey, right: RouteKey) -> Bool { left.text < right.text }
}

extension RouteKey: CustomStringConvertible {
    package var description: String { self.text }
}
