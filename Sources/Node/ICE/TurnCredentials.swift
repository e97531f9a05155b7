internal import Crypto
internal import Foundation

/// What a relay lets a user in with, for a while: the relay checks it by the secret alone and knows no users (SPEC LK-18).
///
/// This is the scheme of the expired draft "A REST API For Access To TURN Services" (draft-uberti-behave-turn-rest), which
/// coturn calls `use-auth-secret`.
package struct TurnCredentials: Equatable, Sendable {
    /// `expiry:hash`, the expiry in seconds since 1970.
    package let username: String
    /// Base64 of the HMAC-SHA1 of the username.
    package let credential: String

    /// Bytes of the user's hash: enough that nobody finds another user with the same one, short in the relay's logs.
    private static let hashLength = 12

    /// - Parameter expires: seconds since 1970.
    package init(domain: String, user: String, expires: Int64, secret: [UInt8]) {
        let key = SymmetricKey(data: secret)
        self.username = "\(expires):\(Self.hash(domain: domain, user: user, key))"
        let code = HMAC<Insecure.SHA1>.authenticationCode(for: Data(self.username.utf8), using: key)
        self.credential = Data(code).base64EncodedString()
    }

    /// Names a user to the relay, in its logs and its quotas, to nobody who has not the secret. A domain has no slash, so that
    /// no two users are one.
    private static func hash(domain: String, user: String, _ key: SymmetricKey) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Data("turn/v1/\(domain)/\(user)".utf8), using: key)
        return Base64URLText.encode(Data(code).prefix(self.hashLength))
    }
}
