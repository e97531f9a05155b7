import Logging
import Routing

/// What a configuration says about identities: keys, and whose tokens are taken.
extension Configuration {
    /// What of it cannot work.
    func identityComplaints() -> [StartError] {
        var found: [StartError] = []
        if !(0...86_400).contains(self.signingKeyRefresh) {
            found.append(
                StartError(
                    "signingKeyRefresh cannot work", why: "it is \(self.signingKeyRefresh)",
                    remedy: "Use 0 to 86,400 seconds.", about: ["signing-key-refresh"]))
        }
        var names: Set<[String]> = []
        do {
            for (domain, issuer) in try self.issuers() {
                if let complaint = issuer.complaint {
                    found.append(
                        StartError(
                            "a token issuer cannot work", why: complaint,
                            remedy: "See docs/identity.md, \"Tokens\".",
                            about: ["token-keys", "token-issuer", "token-audience"]))
                }
                if !names.insert([domain, issuer.issuer]).inserted {
                    found.append(
                        StartError(
                            "the token issuer \(issuer.issuer) is there twice", why: "nothing says whose keys count",
                            remedy: "Put all of its keys into one set.", about: ["token-issuer"]))
                }
            }
        } catch {
            found.append(error)
        }
        return found
    }

    /// Token issuers with their canonical domains.
    ///
    /// - Throws: ``StartError``.
    func issuers() throws(StartError) -> [(domain: String, issuer: TokenIssuer)] {
        try self.tokenIssuers.map { issuer throws(StartError) in
            let domain = issuer.domain.map { self.canonicalDomain($0) } ?? self.defaultDomain
            guard let domain else {
                throw StartError(
                    "a token issuer has no domain", why: "\(issuer.domain ?? "none") is not one that is served here",
                    remedy: "Name one of the configured domains; with several of them it cannot be left out.",
                    about: ["token-domain", "token-issuer"])
            }
            return (domain, issuer)
        }
    }

    /// nil where the keys are made at start, or are read on order only and there is no file to read.
    func keyWatch(
        _ keyring: SigningKeyring, logger: Logger, removed: @escaping @Sendable (Set<[UInt8]>) -> Void
    ) -> SigningKeyWatch? {
        guard case .file(let path) = self.signingKeys else { return nil }
        return SigningKeyWatch(
            path: path, keyring: keyring, interval: self.signingKeyRefresh, removed: removed, logger: logger)
    }
}
