import Logging
import Routing

/// What cannot work in a configuration: all of it at once, for `submergence check`; the first of it ends a start.
extension Configuration {
    /// - Parameter readingFiles: whether keys and secrets are looked at, too; a start does that itself.
    package func complaints(readingFiles: Bool = false) -> [StartError] {
        var found = self.optionComplaints() + self.modeComplaints()
        func collect<Result>(_ body: () throws -> Result) {
            do {
                _ = try body()
            } catch let error as StartError {
                found.append(error)
            } catch {
                found.append(StartError("this cannot work", why: "\(error)", remedy: "See docs/operations.md."))
            }
        }
        collect { try self.domainTable() }
        collect { try self.proxyTrust() }
        found += self.identityComplaints()
        found += self.mongo?.complaints() ?? []
        found += self.webhookComplaints()
        guard readingFiles else { return found }
        if case .file = self.signingKeys { collect { try self.loadKeys() } }
        if self.controlKeys != nil { collect { try self.controlKeyring(logger: Logger(label: "submergence")) } }
        collect { () throws(StartError) in try self.ice.readSecret() }
        collect { () throws(StartError) in try self.outboundTrust() }
        found += self.tokenIssuers.compactMap(\.fileComplaint)
        return found
    }

    private func optionComplaints() -> [StartError] {
        let remedy = "See docs/configuration.md."
        var found: [StartError] = []
        if let complaint = self.sessionOptions.complaint {
            found.append(
                StartError(
                    "the session options cannot work", why: complaint, remedy: remedy,
                    about: ["session-lifespan", "session-renewal-timeout", "login-lifespan"]))
        }
        if self.sessions.activityResolution >= self.sessions.sessionRenewalTimeout {
            found.append(
                StartError(
                    "the session options contradict each other",
                    why:
                        "activity is written once in \(self.sessions.activityResolution) s, and whoever shows none for "
                        + "\(self.sessions.sessionRenewalTimeout) s is not renewed: people would be logged out while they are here",
                    remedy: "Let activity-resolution be much shorter than session-renewal-timeout.",
                    about: ["activity-resolution", "session-renewal-timeout"]))
        }
        if !(0...ConnectionIndex.maximumLoops).contains(self.eventLoops) {
            found.append(
                StartError(
                    "the number of event loops cannot work", why: "it is \(self.eventLoops)", remedy: "Use 1 to 64.",
                    about: ["loops"]))
        }
        if let complaint = self.live.transport.complaint {
            found.append(
                StartError(
                    "the limits of live connections cannot work", why: complaint, remedy: remedy,
                    about: ["cors-credentials", "cors-origin", "path", "cookie", "session-label"]))
        } else if let complaint = self.live.complaint {
            found.append(
                StartError(
                    "the limits of live connections cannot work", why: complaint, remedy: remedy,
                    about: [
                        "max-drain", "ping-interval", "ping-timeout", "max-payload", "accept-rate", "connect-target",
                    ]))
        }
        if let complaint = self.http.complaint {
            found.append(StartError("the options of HTTP cannot work", why: complaint, remedy: remedy))
        }
        if let complaint = self.mongo?.outbox?.complaint {
            found.append(
                StartError(
                    "the options of the outbox cannot work", why: complaint, remedy: "See docs/outbox.md.",
                    about: ["outbox", "outbox-keep", "outbox-poll", "outbox-in-flight", "outbox-retry"]))
        }
        if let complaint = self.controlAPI.complaint {
            found.append(
                StartError(
                    "the options of the control API cannot work", why: complaint, remedy: "See docs/control-api.md.",
                    about: ["control-name", "control-rate"]))
        }
        if let complaint = self.ice.complaint {
            found.append(
                StartError(
                    "the ICE servers cannot work", why: complaint, remedy: "See docs/turn.md.",
                    about: ["turn-url", "ice-server", "turn-secret-file", "turn-lifetime"]))
        }
        if self.listener.port != 0, self.listener.port == self.controlListener.port,
            self.listener.host == self.controlListener.host
        {
            found.append(
                StartError(
                    "both listeners would have the port \(self.listener.port)",
                    why: "clients and operators come by different doors",
                    remedy: "Give the control listener another one.",
                    about: ["control-port", "port"]))
        }
        return found
    }

    private func modeComplaints() -> [StartError] {
        if self.isDevelopment {
            return [(self.listener, "host"), (self.controlListener, "control-host")].compactMap { listener, flag in
                Self.isLoopback(listener.host)
                    ? nil
                    : StartError(
                        "development mode would listen on \(listener.host)", why: "it believes identities",
                        remedy: "Listen on 127.0.0.1, or configure domains and keys for production.", about: [flag])
            }
        }
        var found: [StartError] = []
        if self.domains.isEmpty {
            found.append(
                StartError(
                    "no domain is configured", why: "every identity belongs to one",
                    remedy: "Name one with --domain, or use --dev to try things out.", about: ["domain"]))
        }
        if self.signingKeys == .generated {
            found.append(
                StartError(
                    "no signing keys", why: "made-up keys would be unknown to other nodes and after a restart",
                    remedy: "Name a key file with --signing-keys (docs/operations.md, \"Signing keys\").",
                    about: ["signing-keys"]))
        }
        if !Self.isLoopback(self.controlListener.host), self.controlKeys == nil {
            found.append(
                StartError(
                    "the control listener would be open to \(self.controlListener.host)", why: "it has no keys",
                    remedy: "Keep it on 127.0.0.1, or name a file with --control-keys (`submergence keys` makes it).",
                    about: ["control-host", "control-keys"]))
        }
        return found
    }
}
