internal import NIOCore
internal import Routing

/// Checks one token against one issuer's keys and rules. Pure; milliseconds since 1970.
///
/// The parts are read here, by the strict rules of the service, and not by the JWT library, which takes duplicate members
/// and base64 of several spellings; the library checks the signature.
struct TokenVerifier: Sendable {
    let issuer: TokenIssuer
    /// Canonical.
    let domain: String

    /// The parts of a token, of which nothing has been verified.
    struct Parts {
        let algorithm: TokenKey.Algorithm
        let keyID: String?
        /// Header and claims as they were signed.
        let message: [UInt8]
        let claims: JSONValue
        let signature: [UInt8]
    }

    /// - Parameter limit: bytes.
    static func parts(of token: String, limit: Int) throws(TokenRefusal) -> Parts {
        guard token.utf8.count <= limit else { throw .tooLarge }
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = self.json(parts[0]), case .object(let fields) = header,
            let claims = self.json(parts[1]), case .object = claims,
            let signature = Base64URLText.decode(Substring(parts[2]))
        else { throw .malformed }
        // `none`, and whatever nobody here has a key for.
        guard let name = fields["alg"]?.string, let algorithm = TokenKey.Algorithm(rawValue: name),
            fields["crit"] == nil, fields["b64"] == nil
        else { throw .algorithm }
        if let type = fields["typ"] {
            guard let type = type.string?.lowercased(), ["jwt", "at+jwt", "application/at+jwt"].contains(type) else {
                throw .malformed
            }
        }
        let keyID: String?
        switch fields["kid"] {
        case nil: keyID = nil
        case .string(let text)?: keyID = text
        default: throw .malformed
        }
        let end = token.utf8.index(before: parts[2].startIndex)
        return Parts(
            algorithm: algorithm, keyID: keyID, message: Array(token.utf8[..<end]), claims: claims,
            signature: signature)
    }

    private static func json(_ part: Substring.UTF8View) -> JSONValue? {
        Base64URLText.decode(Substring(part)).flatMap { try? JSONValue(text: ByteBuffer(bytes: $0)) }
    }

    /// - Throws: ``TokenRefusal/unknownKey`` before anything else, so that the caller may look for newer keys.
    func verify(_ parts: Parts, with keys: TokenKeySet, at now: Int64) throws(TokenRefusal) -> VerifiedToken {
        switch keys.key(id: parts.keyID, algorithm: parts.algorithm) {
        case .unknown: throw .unknownKey
        case .otherAlgorithm: throw .algorithm
        case .found(let key):
            guard key.verifies(parts.signature, of: parts.message) else { throw .signature }
        }
        return try self.check(parts.claims, at: now)
    }

    private func check(_ claims: JSONValue, at now: Int64) throws(TokenRefusal) -> VerifiedToken {
        guard claims["iss"]?.string == self.issuer.issuer else { throw .issuer }
        switch claims["aud"] {
        case .string(let audience)? where audience == self.issuer.audience: break
        case .array(let audiences)? where audiences.contains(.string(self.issuer.audience)): break
        default: throw .audience
        }
        let seconds = Double(now) / 1_000
        guard let expires = claims["exp"]?.double, expires + self.issuer.clockSkew > seconds else { throw .expired }
        let issuedAt = try self.moment(claims["iat"])
        let notBefore = try self.moment(claims["nbf"])
        for moment in [issuedAt, notBefore] {
            if let moment, moment - self.issuer.clockSkew > seconds { throw .early }
        }
        guard expires - (issuedAt ?? seconds) <= self.issuer.maximumLifetime else { throw .lifetime }
        let client: String?
        switch self.issuer.client {
        case .fixed(let text): client = text
        case .claim(let name): client = claims[name]?.string
        }
        guard let user = claims[self.issuer.userClaim]?.string, Identifier.isValid(user), let client,
            Identifier.isValid(client)
        else { throw .identity }
        let end = Int64((expires + self.issuer.clockSkew) * 1_000)
        let ask = Int64((expires - self.issuer.askBefore) * 1_000)
        return VerifiedToken(
            domain: self.domain, user: user, client: client, issuer: self.issuer.issuer, id: claims["jti"]?.string,
            issuedAt: issuedAt, expires: expires, claims: claims, warrant: Warrant(ask: ask, end: end))
    }

    private func moment(_ claim: JSONValue?) throws(TokenRefusal) -> Double? {
        guard let claim else { return nil }
        guard let value = claim.double else { throw .malformed }
        return value
    }
}
