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
        return options
    }

    var graces: Graces { Graces(self.live, isClustered: self.mongo != nil) }

    /// The domain of calls that name none: the only one there is.
    var defaultDomain: String? {
        if self.isDevelopment, self.domains.isEmpty { return "localhost" }
        return self.domains.count == 1 ? HostName.configured(self.domains[0].name) : nil
    }

    /// - Returns: nil for a domain that is not served here.
    func canonicalDomain(_ text: String) -> String? {
        if self.isDevelopment, self.domains.isEmpty { return text == "localhost" ? text : nil }
        guard let name = HostName.configured(text) else { return nil }
        return self.domains.contains { HostName.configured($0.name) == name } ? name : nil
    }

    /// - Throws: ``StartError``.
    func validate() throws {
        let remedy = "See docs/operations.md."
        if let complaint = self.sessionOptions.complaint {
            throw StartError("the session options cannot work", why: complaint, remedy: remedy)
        }
        guard (0...ConnectionIndex.maximumLoops).contains(self.eventLoops) else {
            throw StartError(
                "the number of event loops cannot work", why: "it is \(self.eventLoops)", remedy: "Use 1 to 64.")
        }
        if let complaint = self.live.complaint {
            throw StartError("the limits of live connections cannot work", why: complaint, remedy: remedy)
        }
        if let complaint = self.http.complaint {
            throw StartError("the options of HTTP cannot work", why: complaint, remedy: remedy)
        }
        if self.isDevelopment {
            for listener in [self.listener, self.controlListener] where !Self.isLoopback(listener.host) {
                throw StartError(
                    "development mode would listen on \(listener.host)", why: "it believes identities",
                    remedy: "Listen on 127.0.0.1, or configure domains and keys for production.")
            }
        } else {
            guard !self.domains.isEmpty else {
                throw StartError(
                    "no domain is configured", why: "every identity belongs to one",
                    remedy: "Name one with --domain, or use --dev to try things out.")
            }
            guard case .file = self.signingKeys else {
                throw StartError(
                    "no signing keys", why: "made-up keys would be unknown to other nodes and after a restart",
                    remedy: "Name a key file with --signing-keys (docs/operations.md, \"Signing keys\").")
            }
            guard Self.isLoopback(self.controlListener.host) else {
                throw StartError(
                    "the control listener would be open to \(self.controlListener.host)", why: "it has no key yet",
                    remedy: "Keep it on 127.0.0.1.")
            }
        }
        _ = try self.domainTable()
        _ = try self.proxyTrust()
        try self.validateIdentity()
    }

    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || IPAddress(host)?.isLoopback ?? false
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
                    remedy: "See docs/operations.md, \"Signing keys\".")
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
            throw StartError("cannot serve a domain", why: "\(error)", remedy: "Mend its name or its aliases.")
        }
    }

    /// - Throws: ``StartError``.
    func proxyTrust() throws -> ProxyTrust {
        do {
            return try ProxyTrust(self.trustedProxies)
        } catch {
            throw StartError("cannot trust a proxy", why: "\(error)", remedy: "Name addresses or CIDR blocks.")
        }
    }
}
