/// An origin, or all origins below a host, to compare the `Origin` of a request with (RFC 6454).
struct OriginPattern: Sendable, Equatable {
    private let scheme: String
    private let host: String
    private let port: Int
    private let isWildcard: Bool

    /// - Parameter text: `https://host`, with a port where it is not the scheme's own; `https://*.host` for all below.
    init?(_ text: String) {
        guard let parts = Self.parts(text) else { return nil }
        var host = parts.host
        self.isWildcard = host.hasPrefix("*.")
        if self.isWildcard { host = host.dropFirst(2) }
        let authority = parts.port.map { "\(host):\($0)" } ?? String(host)
        guard let name = HostName(authority) else { return nil }
        self.scheme = parts.scheme
        self.host = name.name
        self.port = name.port ?? Self.standardPort(parts.scheme)
    }

    /// - Parameter origin: the field's value as it came.
    func matches(_ origin: String) -> Bool {
        guard let parts = Self.parts(origin), parts.scheme == self.scheme,
            let host = HostName(parts.port.map { "\(parts.host):\($0)" } ?? String(parts.host)),
            host.port ?? Self.standardPort(parts.scheme) == self.port
        else { return false }
        return self.isWildcard ? host.name.hasSuffix("." + self.host) : host.name == self.host
    }

    private static func parts(_ text: String) -> (scheme: String, host: Substring, port: Substring?)? {
        guard let scheme = ["https", "http"].first(where: { text.lowercased().hasPrefix($0 + "://") }) else {
            return nil
        }
        let authority = text.dropFirst(scheme.utf8.count + 3)
        guard !authority.hasPrefix("["), let colon = authority.firstIndex(of: ":") else {
            return (scheme, authority, nil)
        }
        return (scheme, authority[..<colon], authority[authority.index(after: colon)...])
    }

    private static func standardPort(_ scheme: String) -> Int { scheme == "https" ? 443 : 80 }
}
