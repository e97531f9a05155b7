package import HTTPTypes

/// The header fields of a request, wherever they come from: a Hummingbird request, or the raw head of a WebSocket
/// handshake, which never becomes one.
package protocol HeaderView: Sendable {
    /// Every value of a field, in the order of the message.
    /// - Parameter name: in lower case.
    func values(_ name: String) -> [String]
}

extension HeaderView {
    /// The value of a field that must occur at most once; nil when it is absent or repeated.
    package func single(_ name: String) -> String? {
        let values = self.values(name)
        return values.count == 1 ? values[0] : nil
    }
}

/// The fields of a head that our own front door has read.
package struct HeaderList: HeaderView {
    private var fields: [String: [String]] = [:]

    package init(_ fields: some Sequence<(name: some StringProtocol, value: some StringProtocol)>) {
        for field in fields { self.fields[field.name.lowercased(), default: []].append(String(field.value)) }
    }

    package func values(_ name: String) -> [String] { self.fields[name] ?? [] }

    /// All fields; the values of a repeated one joined by commas (RFC 9110 §5.3).
    package var all: [String: String] { self.fields.mapValues { $0.joined(separator: ", ") } }
}

extension HTTPRequest: HeaderView {
    /// The first `Host` of an HTTP/1 request is its authority; a repeated one is left among the fields.
    package func values(_ name: String) -> [String] {
        guard let field = HTTPField.Name(name) else { return [] }
        let rest = self.headerFields[fields: field].map(\.value)
        return name == "host" ? [self.authority].compactMap(\.self) + rest : rest
    }
}
