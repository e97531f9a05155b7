/// What a token says, once its signature and its claims have held.
public struct VerifiedToken: Sendable, Hashable {
    public let domain: String
    public let user: String
    public let client: String
    public let issuer: String
    /// `jti`.
    public let id: String?
    /// `iat` and `exp`, seconds since 1970.
    public let issuedAt: Double?
    public let expires: Double
    /// All claims, as they came.
    public let claims: JSONValue
    /// When its bearer's connections end, and when they are asked for another token: milliseconds since 1970.
    let warrant: Warrant
}

/// Decides whether a token that is in order is taken; called for each request and each CONNECT, after every other check.
/// One that throws refuses.
public typealias TokenHook = @Sendable (VerifiedToken) async throws -> Bool
