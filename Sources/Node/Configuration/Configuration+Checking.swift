import Logging
import NIOCore
import Routing

/// What follows from a configuration, and what cannot be.
extension Configuration {
    var isDevelopment: Bool { self.mode != .production }

    var controlListener: Listener {
        self.control ?? Listener(host: "127.0.0.1", port: self.listener.port == 0 ? 0 : self.listener.port + 1000)
    }

    var loopCount: Int { self.eventLoops > 0 ? self.eventLoops : min(System.coreCount, ConnectionIndex.maximumLoops) }

    /// Development means plain HTTP on loopback, whatever else is set.
    var sessionOptions: SessionOptions {
        var options = self.sessions
        if self.isDevelopment { options.insecureCookies = true }
        return options
    }

    var incarnationOptions: Incarnation.Options {
        var options = Incarnation.Options()
        options.limits.perClient = self.live.connectionsPerClient
        options.limits.perUser = self.live.connectionsPerUser
        options.limits.links = self.live.limits.linksPerUser
        // Given up is told to come back: like one that was sent elsewhere.
        options.commit.abandonedGrace = self.graces.grace(for: .moving)
        options.commit.abandonedLinkGrace = self.graces.movingLink
        options.linkGrace = self.graces.link
        return options
    }

    var graces: Graces { Graces(self.live, isClustered: self.mongo != nil) }

    /// The domain of calls that name none: the only one there is.
    var defaultDomain: String? {
        if self.isDevelopment, self.domains.isEmpty { return "localhost" }
        return self.domains.count == 1 ? HostName.configured(self.domains[0].name) : nil
    }

    /// The canonical names of the domains that are served here.
    var servedDomains: [String] {
        if self.isDevelopment, self.domains.isEmpty { return ["localhost"] }
        return self.domains.compactMap { HostName.configured($0.name) }
    }

    /// - Returns: nil for a domain that is not served here.
    func canonicalDomain(_ text: String) -> String? {
        if self.isDevelopment, self.domains.isEmpty { return text == "localhost" ? text : nil }
        guard let name = HostName.configured(text) else { return nil }
        return self.domains.contains { HostName.configured($0.name) == name } ? name : nil
    }

    /// - Throws: ``StartError``.
    func validate() throws {
        if let complaint = self.complaints().first { throw complaint }
    }

    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || IPAddress(host)?.isLoopback ?? false
    }

    /// - Throws: ``StartError``.
    func controlKeyring(logger: Logger) throws -> ControlKeyring {
        do {
            return try ControlKeyring(
                path: self.controlKeys, isOpen: self.isDevelopment, interval: .seconds(self.signingKeyRefresh),
                logger: logger)
        } catch {
            throw StartError(
                "cannot use the control keys", why: "\(error)", remedy: "`submergence keys create` makes such a file.",
                about: ["control-keys"])
        }
    }

    /// - Throws: ``StartError``.
    func loadKeys() throws -> SigningKeys {
        switch self.signingKeys {
        case .generated: return .generated()
        case .file(let path):
            do {
                return try SigningKeyFile.load(path)
            } catch {
                throw StartError(
                    "cannot use the signing keys in \(path)", why: "\(error)",
                    remedy: "See docs/operations.md, \"Signing keys\".", about: ["signing-keys"])
            }
        }
    }

    /// - Throws: ``StartError``.
    func domainTable() throws -> DomainTable {
        switch self.mode {
        case .development: return .development
        case .conformance where self.domains.isEmpty: return .conformance
        case .conformance, .production: break
        }
        do {
            return try DomainTable(self.domains.map { ($0.name, $0.aliases) }, ports: self.publicPorts)
        } catch {
            throw StartError(
                "cannot serve a domain", why: "\(error)", remedy: "Mend its name or its aliases.",
                about: ["domain", "alias"])
        }
    }

    /// - Throws: ``StartError``.
    func proxyTrust() throws -> ProxyTrust {
        do {
            return try ProxyTrust(self.trustedProxies)
        } catch {
            throw StartError(
                "cannot trust a proxy", why: "\(error)", remedy: "Name addresses or CIDR blocks.",
                about: ["trusted-proxy"])
        }
    }
}
