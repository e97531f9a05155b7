/// Where a request of the node's own goes (key sets, webhooks): scheme, host and port of an address, as far as they decide
/// whether it may be asked.
struct OutboundAddress: Sendable, Equatable {
    let isSecure: Bool
    /// Canonical: lower case, no trailing dot.
    let host: String
    let port: Int
    /// The whole address with that very host: what is looked at is what is asked, however it was written.
    let url: String

    /// - Returns: nil for anything but `http` and `https`, and for user information, which has no business in an address.
    init?(_ text: String) {
        guard text.utf8.count <= 2_048, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        let rest: Substring
        if text.hasPrefix("https://") {
            (self.isSecure, rest) = (true, text.dropFirst(8))
        } else if text.hasPrefix("http://") {
            (self.isSecure, rest) = (false, text.dropFirst(7))
        } else {
            return nil
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@"), !authority.contains("\\"), let host = HostName(authority) else { return nil }
        self.host = host.name
        self.port = host.port ?? (self.isSecure ? 443 : 80)
        let name = host.name.contains(":") ? "[\(host.name)]" : host.name
        let path = rest.dropFirst(authority.count)
        self.url =
            "\(self.isSecure ? "https" : "http")://\(name)\(host.port.map { ":\($0)" } ?? "")"
            + (path.hasPrefix("/") ? "" : "/") + path
    }
}

extension IPAddress {
    /// Whether anybody on the internet may have it: not loopback, private, link-local, shared, multicast, reserved, or an
    /// IPv6 form that carries such an IPv4 address (IANA special-purpose registries).
    var isPublic: Bool { !Self.special.contains { $0.contains(self) } }

    private static let special: [Block] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        // What is not global unicast, and of that: translations (NAT64, 6to4, Teredo), documentation.
        "::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    ].compactMap { Block($0) }
}
