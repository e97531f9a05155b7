import Logging
import Routing

/// What a configuration says about identities: keys, and whose tokens are taken.
extension Configuration {
    /// - Throws: ``StartError``.
    func validateIdentity() throws {
        guard (0...86_400).contains(self.signingKeyRefresh) else {
            throw StartError(
                "signingKeyRefresh cannot work", why: "it is \(self.signingKeyRefresh)",
                remedy: "Use 0 to 86,400 seconds.")
        }
        var names: Set<[String]> = []
        for (domain, issuer) in try self.issuers() {
            if let complaint = issuer.complaint {
                throw StartError(
                    "a token issuer cannot work", why: complaint, remedy: "See docs/identity.md, \"Tokens\".")
            }
            guard names.insert([domain, issuer.issuer]).inserted else {
                throw StartError(
                    "the token issuer \(issuer.issuer) is there twice", why: "nothing says whose keys count",
                    remedy: "Put all of its keys into one set.")
            }
        }
    }

    /// Token issuers with their canonical domains.
    ///
    /// - Throws: ``StartError``.
    func issuers() throws -> [(domain: String, issuer: TokenIssuer)] {
        try self.tokenIssuers.map { issuer in
            let domain = issuer.domain.map { self.canonicalDomain($0) } ?? self.defaultDomain
            guard let domain else {
                throw StartError(
                    "a token issuer has no domain", why: "\(issuer.domain ?? "none") is not one that is served here",
                    remedy: "Name one of the configured domains; with several of them it cannot be left out.")
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
