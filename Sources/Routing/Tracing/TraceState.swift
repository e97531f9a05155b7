/// What tracing systems say of a trace beside its ``TraceParent``: the `tracestate` of W3C Trace Context, level 1. Passed on
/// as it came: this program has nothing to add.
package struct TraceState: Sendable, Equatable {
    /// Of one `tracestate`.
    package static let mostMembers = 32
    /// Bytes that are passed on; what is longer loses its members of more than 128 bytes first, then those at its end.
    package static let longest = 512
    private static let longMember = 128

    package let text: String

    /// - Parameter fields: the values of all header fields of that name, in their order.
    /// - Returns: nil for none, and where anything is not of the form: then all of it is ignored.
    package init?(_ fields: [String]) {
        var members: [Substring] = []
        var keys: Set<Substring> = []
        for field in fields {
            for part in field.split(separator: ",") {
                let member = Self.trimmed(part)
                if member.isEmpty { continue }
                guard members.count < Self.mostMembers, let key = Self.key(of: member), keys.insert(key).inserted
                else { return nil }
                members.append(member)
            }
        }
        func length() -> Int { members.reduce(members.count - 1) { $0 + $1.utf8.count } }
        if length() > Self.longest { members.removeAll { $0.utf8.count > Self.longMember } }
        while length() > Self.longest { members.removeLast() }
        guard !members.isEmpty else { return nil }
        self.text = members.joined(separator: ",")
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    /// - Returns: nil for what is no `key=value`.
    private static func key(of member: Substring) -> Substring? {
        guard let equals = member.firstIndex(of: "=") else { return nil }
        let key = member[..<equals]
        let value = member[member.index(after: equals)...]
        let isValue = (1...256).contains(value.utf8.count) && value.utf8.allSatisfy(self.isInValue)
        return isValue && self.isKey(key) ? key : nil
    }

    /// `vendor`, or `tenant@vendor`.
    private static func isKey(_ key: Substring) -> Bool {
        let parts = key.split(separator: "@", omittingEmptySubsequences: false).map(\.utf8)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(self.isInKey) }),
            let vendor = parts.last, vendor.first.map(self.isLetter) == true
        else { return false }
        switch parts.count {
        case 1: return vendor.count <= 256
        case 2:
            let first = parts[0].first
            return parts[0].count <= 241 && vendor.count <= 14
                && (first.map(self.isLetter) == true || first.map(self.isDigit) == true)
        default: return false
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isInKey(_ byte: UInt8) -> Bool {
        self.isLetter(byte) || self.isDigit(byte) || "_-*/".utf8.contains(byte)
    }

    private static func isInValue(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != UInt8(ascii: ",") && byte != UInt8(ascii: "=")
    }
}
