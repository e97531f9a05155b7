/// An identity provider whose tokens (JWT, RFC 7519) are taken beside session cookies: as `Authorization: Bearer` over
/// HTTP, as `auth.token` over sockets (docs/identity.md, "Tokens").
public struct TokenIssuer: Sendable, Equatable {
    /// Where the keys that verify come from. A key fixes its algorithm: RS256, ES256, EdDSA, or HS256 for a shared secret.
    public enum Keys: Sendable, Equatable {
        /// A file with a JSON Web Key Set (RFC 7517); one with shared secrets must have mode 0600. Read again every
        /// ``TokenIssuer/refreshInterval``.
        case file(String)
        /// An `https` address of a key set. Shared secrets in it are ignored.
        case url(String)
        /// A key set as text.
        case text(String)
    }

    /// How the client, a device of the user, is known.
    public enum Client: Sendable, Equatable {
        case claim(String)
        /// All tokens of a user are one device.
        case fixed(String)
    }

    /// The domain that its identities belong to, by its configured name; nil: the only one there is.
    public var domain: String?
    /// The exact value of `iss`.
    public var issuer: String
    /// A value that `aud` has, or has among others.
    public var audience: String
    public var keys: Keys
    /// The claim that names the user. Default `sub`.
    public var userClaim: String
    /// Default `token`, for all.
    public var client: Client
    /// Seconds by which the issuer's clock may be off, 0 to 300. Default 30.
    public var clockSkew: Double
    /// Seconds from `iat` (or, without it, from now) to `exp`: what lives longer is refused. Default a day.
    public var maximumLifetime: Double
    /// Bytes of one token. Default 8,192, which fits in a request head; at most 15,000.
    public var maximumSize: Int
    /// Seconds before its expiry at which a live client is asked for a new token. Default 60.
    public var askBefore: Double
    /// Seconds after which the keys are read again. Default 10 min.
    public var refreshInterval: Double
    /// Least seconds between two readings that tokens with an unknown key cause. Default 30.
    public var unknownKeyInterval: Double
    /// `http`, and addresses that are not public, are taken for ``Keys/url(_:)``. Default false: whoever may configure an
    /// issuer must not look into the node's own network.
    public var allowsPrivateAddresses: Bool

    public init(issuer: String, audience: String, keys: Keys, domain: String? = nil) {
        self.domain = domain
        self.issuer = issuer
        self.audience = audience
        self.keys = keys
        self.userClaim = "sub"
        self.client = .fixed("token")
        self.clockSkew = 30
        self.maximumLifetime = 86_400
        self.maximumSize = 8_192
        self.askBefore = 60
        self.refreshInterval = 600
        self.unknownKeyInterval = 30
        self.allowsPrivateAddresses = false
    }

    /// What is wrong with it, in words; nil when nothing is.
    package var complaint: String? {
        if self.issuer.isEmpty { return "a token issuer needs the value of iss" }
        if self.audience.isEmpty { return "a token issuer needs an audience" }
        if self.userClaim.isEmpty || self.client == .claim("") { return "a claim has a name" }
        if !(0...300).contains(self.clockSkew) { return "clockSkew must be 0 to 300 seconds" }
        if !(1...15_000).contains(self.maximumSize) { return "maximumSize must be 1 to 15,000 bytes" }
        let times = [
            ("maximumLifetime", self.maximumLifetime), ("refreshInterval", self.refreshInterval),
            ("unknownKeyInterval", self.unknownKeyInterval),
        ]
        for (name, value) in times where !(value >= 1 && value <= 10 * 365 * 86_400) {
            return "\(name) must be 1 second to ten years"
        }
        if !(0...86_400).contains(self.askBefore) { return "askBefore must be 0 to 86,400 seconds" }
        if case .url(let text) = self.keys {
            guard let address = OutboundAddress(text) else { return "\(text) is not an address of keys" }
            if !address.isSecure, !self.allowsPrivateAddresses { return "keys are fetched by https, not from \(text)" }
        }
        return nil
    }
}
