import Routing

/// Whom a connection belongs to.
struct ConnectionIdentity: Sendable, Hashable {
    let key: RouteKey
    let user: String
    let client: String
    /// The session that vouches for it, for re-validation (SPEC ID-13); nil for an identity that a token vouches for, or
    /// that development mode believed.
    let session: Session?
    let warrant: Warrant
    /// Whether a token of an identity provider vouches for it.
    let isByToken: Bool
    /// Whether its script context proved same-origin access to the domain (SPEC ID-5).
    let isDomestic: Bool
    /// The signing key of that proof, where it was a domestic token; nil for any other proof, or none.
    let domesticKey: [UInt8]?

    var domain: String { self.key.domain }

    /// A session of §3, as a socket is bound to it.
    struct Session: Sendable, Hashable {
        let hash: [UInt8]
        let chain: [UInt8]
    }

    init(
        domain: String, user: String, client: String, session: Session?, isDomestic: Bool,
        warrant: Warrant = .endless, isByToken: Bool = false, domesticKey: [UInt8]? = nil
    ) {
        self.key = RouteKey(domain: domain, user: user)
        self.user = user
        self.client = client
        self.session = session
        self.isByToken = isByToken
        self.warrant = warrant
        self.isDomestic = isDomestic
        self.domesticKey = domesticKey
    }

    /// Whom a token names.
    /// - Parameter isDomestic: whether no foreign page sent it (docs/adr/0014-tokens.md).
    init(_ token: VerifiedToken, isDomestic: Bool) {
        self.init(
            domain: token.domain, user: token.user, client: token.client, session: nil, isDomestic: isDomestic,
            warrant: token.warrant, isByToken: true)
    }

    /// The same person with another session: logged in anew (SPEC ID-10), or renewed (ID-9).
    func bound(to session: Session, _ warrant: Warrant) -> ConnectionIdentity {
        ConnectionIdentity(
            domain: self.domain, user: self.user, client: self.client, session: session, isDomestic: self.isDomestic,
            warrant: warrant, domesticKey: self.domesticKey)
    }

    /// The same person, held by a newer token.
    func extended(to warrant: Warrant) -> ConnectionIdentity {
        ConnectionIdentity(
            domain: self.domain, user: self.user, client: self.client, session: nil, isDomestic: self.isDomestic,
            warrant: warrant, isByToken: true)
    }

    /// What is left of it without these signing keys: a proof that one of them made is none any more (SPEC ID-2, ID-5).
    func without(keys: Set<[UInt8]>) -> ConnectionIdentity {
        guard let key = self.domesticKey, keys.contains(key) else { return self }
        return ConnectionIdentity(
            domain: self.domain, user: self.user, client: self.client, session: self.session, isDomestic: false,
            warrant: self.warrant, isByToken: self.isByToken)
    }

    func isSamePerson(as other: VerifiedToken) -> Bool {
        self.domain == other.domain && self.user == other.user && self.client == other.client
    }
}
