package import HTTPTypes

/// The header fields of a request, wherever they come from: a Hummingbird request, or the raw head of a WebSocket
/// handshake, which never becomes one.
package protocol HeaderView: Sendable {
    /// Every value of a field, in the order of the message.
    /// - Parameter name: in lower case.
    func values(_ name: String) -> [String]

    /// The value of a field that must occur at most once; nil when it is absent or repeated.
    func single(_ name: String) -> String?
}

extension HeaderView {
    package func single(_ name: String) -> String? {
        let values = self.values(name)
        return values.count == 1 ? values[0] : nil
    }
}

/// The fields of a head that our own front door has read: parts of its text, which they keep.
package struct HeaderList: HeaderView {
    private let fields: [(name: Substring, value: Substring)]

    package init(_ fields: [(name: Substring, value: Substring)]) {
        self.fields = fields
    }

    package init(_ fields: some Sequence<(name: some StringProtocol, value: some StringProtocol)>) {
        self.fields = fields.map { (Substring($0.name), Substring($0.value)) }
    }

    package func values(_ name: String) -> [String] {
        var values: [String] = []
        for field in self.fields where Self.equals(field.name, name) { values.append(String(field.value)) }
        return values
    }

    package func single(_ name: String) -> String? {
        var found: Substring?
        for field in self.fields where Self.equals(field.name, name) {
            guard found == nil else { return nil }
            found = field.value
        }
        return found.map { String($0) }
    }

    /// All fields, by their names in lower case; the values of a repeated one joined by commas (RFC 9110 §5.3).
    package var all: [String: String] {
        Dictionary(self.fields.map { ($0.name.lowercased(), String($0.value)) }) { $0 + ", " + $1 }
    }

    /// - Parameter name: in lower case.
    private static func equals(_ field: Substring, _ name: String) -> Bool {
        guard field.utf8.count == name.utf8.count else { return false }
        for (byte, lower) in zip(field.utf8, name.utf8)
        where (byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte) != lower { return false }
        return true
    }
}

extension HTTPRequest: HeaderView {
    /// The first `Host` of an HTTP/1 request is its authority; a repeated one is left among the fields.
    package func values(_ name: String) -> [String] {
        guard let field = HTTPField.Name(name) else { return [] }
        let rest = self.headerFields[fields: field].map(\.value)
        return name == "host" ? [self.authority].compactMap(\.self) + rest : rest
    }
}
