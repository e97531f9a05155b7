/// Which domain a request is for (SPEC TR-1).
package struct DomainTable: Sendable {
    /// Where a request was sent, and what that is here.
    package struct Destination: Sendable, Hashable {
        /// The canonical domain: the scope of every identity.
        package let domain: String
        package let host: HostName
    }

    package enum Refusal: Error, Sendable, Equatable {
        /// No `Host`, a repeated one, or not a host: 400.
        case malformed
        /// A host, or a port, that is not served here: 421.
        case unknown
    }

    /// A name of the configuration that cannot be one.
    package struct InvalidName: Error, Sendable, Equatable, CustomStringConvertible {
        package let name: String
        package let why: String
        package var description: String { "\(self.name): \(self.why)" }
    }

    private enum Names: Sendable {
        /// Any loopback host, whatever its port, is the domain `localhost` (DESIGN §9).
        case development(allowsForeign: Bool)
        case configured(exact: [String: String], wildcards: [(suffix: String, domain: String?)], ports: Set<Int>)
    }

    private let names: Names

    private init(_ names: Names) {
        self.names = names
    }

    /// Loopback hosts only, and no request of a foreign origin: a page on the web must not reach a developer's node.
    package static let development = DomainTable(.development(allowsForeign: false))
    /// The same for any origin.
    package static let conformance = DomainTable(.development(allowsForeign: true))

    /// - Parameters:
    ///   - domains: each with its aliases. A domain `*.example.org` makes every host below it a domain of its own; an
    ///     alias `*.example.org` maps all of them to its domain. Exact names win, then the longest wildcard.
    ///   - ports: beside 80, 443 and none, the ports that clients may name (SPEC TR-1).
    package init(
        _ domains: [(name: String, aliases: [String])], ports: Set<Int> = []
    ) throws(InvalidName) {
        var exact: [String: String] = [:]
        var wildcards: [String: String?] = [:]
        for (name, aliases) in domains {
            let isWildcard = name.hasPrefix("*.")
            guard aliases.isEmpty || !isWildcard else {
                throw InvalidName(name: name, why: "a wildcard domain cannot have aliases")
            }
            let domain = try Self.canonical(name)
            for (alias, text) in [(name, domain)]
                + (try aliases.map { alias throws(InvalidName) in
                    (alias, try Self.canonical(alias))
                })
            {
                let isTaken =
                    alias.hasPrefix("*.")
                    ? wildcards.updateValue(isWildcard ? nil : domain, forKey: text) != nil
                    : exact.updateValue(domain, forKey: text) != nil
                if isTaken { throw InvalidName(name: alias, why: "it is configured twice") }
            }
        }
        let ordered = wildcards.map { (suffix: "." + $0.key, domain: $0.value) }
            .sorted { $0.suffix.utf8.count > $1.suffix.utf8.count }
        self.init(.configured(exact: exact, wildcards: ordered, ports: ports.union([80, 443])))
    }

    /// - Parameter headers: `X-Forwarded-Host` is never looked at.
    package func destination(_ headers: some HeaderView) throws(Refusal) -> Destination {
        guard let text = headers.single("host"), let host = HostName(text) else { throw .malformed }
        switch self.names {
        case .development:
            guard host.isLoopback else { throw .unknown }
            return Destination(domain: "localhost", host: host)
        case .configured(let exact, let wildcards, let ports):
            if let port = host.port, !ports.contains(port) { throw .unknown }
            if let domain = exact[host.name] { return Destination(domain: domain, host: host) }
            for (suffix, domain) in wildcards where host.name.hasSuffix(suffix) {
                return Destination(domain: domain ?? host.name, host: host)
            }
            throw .unknown
        }
    }

    /// Whether the request carries an `Origin`, and whose it is (SPEC ID-5, DESIGN §9).
    package enum OriginStanding: Sendable, Equatable {
        /// As with every GET of a browser that is no `fetch`; what the browser says of it otherwise does not speak against it.
        case absent
        /// The scheme and host of the request, with the scheme's default or a configured port.
        case own
        case foreign
    }

    package func origin(
        _ headers: some HeaderView, of destination: Destination, isSecure: Bool
    ) -> OriginStanding {
        let values = headers.values("origin")
        guard let text = values.first else { return self.isEmbedded(headers) ? .foreign : .absent }
        guard values.count == 1, let scheme = ["https", "http"].first(where: { text.hasPrefix($0 + "://") }),
            let host = HostName(text.dropFirst(scheme.utf8.count + 3))
        else { return .foreign }
        switch self.names {
        case .development:
            return host.isLoopback ? .own : .foreign
        case .configured(_, _, let ports):
            guard (scheme == "https") == isSecure, host.name == destination.host.name else { return .foreign }
            let standard = isSecure ? 443 : 80
            guard let port = host.port, port != standard else { return .own }
            return ports.subtracting([80, 443]).contains(port) ? .own : .foreign
        }
    }

    /// Whether a page of another origin has it fetched, as an image or in a frame: browsers send no `Origin` with these, but
    /// say so (W3C Fetch Metadata). A link that is followed is not meant; in development mode every port of this machine is
    /// one origin, which they do not know.
    private func isEmbedded(_ headers: some HeaderView) -> Bool {
        guard case .configured = self.names, let site = headers.values("sec-fetch-site").first else { return false }
        guard site == "cross-site" || site == "same-site" else { return false }
        return headers.values("sec-fetch-mode") != ["navigate"] || headers.values("sec-fetch-dest") != ["document"]
    }

    /// Whether a request of that standing is refused outright, whatever it asks (DESIGN §9). Elsewhere a foreign origin is
    /// only never domestic (SPEC ID-5).
    package func isRefused(_ origin: OriginStanding) -> Bool {
        guard case .development(allowsForeign: false) = self.names else { return false }
        return origin == .foreign
    }

    private static func canonical(_ name: String) throws(InvalidName) -> String {
        let bare = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
        guard let text = HostName.configured(bare) else {
            throw InvalidName(name: name, why: "it is not a host name (no scheme, port or path)")
        }
        return text
    }
}
