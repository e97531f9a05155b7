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
    /// `s`: once a renewal began (ID-9).
    package var renewal: Renewal?
    /// `sc`: when the successor was first presented, milliseconds since 1970.
    package var successorPresented: Int64?
    /// `n`: hash of that successor.
    package var successor: [UInt8]?
    /// `x`: when the record goes.
    package var expires: Int64
    /// `z`: why it was invalidated.
    package var reason: String?

    /// What every renewer of a session derives its successor from, together with the session's secret (ID-9). Stored as
    /// one field, so that nobody ever sees half of it.
    package struct Renewal: Sendable, Hashable {
        package static let keyLength = 8
        package static let nonceLength = 32

        /// Names the signing key, ``keyLength`` bytes: it says nothing of the key itself.
        package let key: [UInt8]
        /// Random, ``nonceLength`` bytes.
        package let nonce: [UInt8]

        package init(key: [UInt8], nonce: [UInt8]) {
            precondition(key.count == Self.keyLength && nonce.count == Self.nonceLength, "lengths are fixed")
            self.key = key
            self.nonce = nonce
        }

        /// - Parameter stored: what ``stored`` gave; nil for anything of another length.
        package init?(stored: [UInt8]) {
            guard stored.count == Self.keyLength + Self.nonceLength else { return nil }
            self.init(key: Array(stored.prefix(Self.keyLength)), nonce: Array(stored.dropFirst(Self.keyLength)))
        }

        package var stored: [UInt8] { self.key + self.nonce }
    }

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
        self.renewal = nil
        self.successorPresented = nil
        self.successor = nil
        self.expires = expires
        self.reason = nil
    }
}
