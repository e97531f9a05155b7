/// The stored form of a session (SPEC §3). The secret itself is never stored: the key is its SHA-256.
package struct SessionRecord: Sendable, Equatable {
    /// SHA-256 of the secret, 32 bytes.
    package var hash: [UInt8]
    package var domain: String
    package var user: String
    package var client: String
    /// Created, last activity, login: milliseconds since 1970 (`c`, `a`, `L`).
    package var created: Int64
    package var activity: Int64
    package var login: Int64
    /// `v`: false once invalidated.
    package var isValid: Bool
    /// `r`: remember-me.
    package var isRemembered: Bool
    /// `f`: chain ID, the hash of the login's first session.
    package var chain: [UInt8]
    /// `l`: hash of the session that this one followed; nil for the first.
    package var predecessor: [UInt8]?
    /// `s`: renewal nonce, once a renewal began (ID-9).
    package var renewalNonce: [UInt8]?
    /// `sc`: when the successor was first presented, milliseconds since 1970.
    package var successorPresented: Int64?
    /// `x`: when the record goes.
    package var expires: Int64
    /// `z`: why it was invalidated.
    package var reason: String?

    package init(
        hash: [UInt8], domain: String, user: String, client: String, now: Int64, isRemembered: Bool, expires: Int64
    ) {
        self.hash = hash
        self.domain = domain
        self.user = user
        self.client = client
        self.created = now
        self.activity = now
        self.login = now
        self.isValid = true
        self.isRemembered = isRemembered
        self.chain = hash
        self.predecessor = nil
        self.renewalNonce = nil
        self.successorPresented = nil
        self.expires = expires
        self.reason = nil
    }
}
