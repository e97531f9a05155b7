import Routing

/// Whom a connection belongs to.
struct ConnectionIdentity: Sendable, Hashable {
    let key: RouteKey
    let domain: String
    let user: String
    let client: String
    /// The session that vouches for it, for re-validation (SPEC ID-13); nil for an identity that development mode believed.
    let session: Session?
    let isDomestic: Bool

    /// A session of §3, as a socket is bound to it.
    struct Session: Sendable, Hashable {
        let hash: [UInt8]
        let chain: [UInt8]
    }

    init(domain: String, user: String, client: String, session: Session?, isDomestic: Bool) {
        self.key = RouteKey(domain: domain, user: user)
        self.domain = domain
        self.user = user
        self.client = client
        self.session = session
        self.isDomestic = isDomestic
    }

    /// The same person with another session: logged in anew (SPEC ID-10).
    func bound(to session: Session) -> ConnectionIdentity {
        ConnectionIdentity(
            domain: self.domain, user: self.user, client: self.client, session: session, isDomestic: self.isDomestic)
    }
}
