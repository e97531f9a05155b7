/// Why a token is not taken: a label of `submergence_tokens_refused_total`, and never told to its bearer.
package enum TokenRefusal: String, Error, Sendable, CaseIterable {
    /// Not three parts of base64url, or not JSON by the rules of SPEC WS-3, or several at once.
    case malformed
    case tooLarge = "too_large"
    /// `alg` is not what the key is for; `none` is nobody's. Also a critical extension that is not known here (RFC 7515 §4.1.11).
    case algorithm
    case unknownKey = "unknown_key"
    case signature
    case issuer
    case audience
    /// `exp` is over, or missing.
    case expired
    /// Not valid yet: `nbf` or `iat` lies ahead.
    case early
    /// It lives longer than the issuer's tokens may.
    case lifetime
    /// No user or client that could be one (SPEC §1).
    case identity
    /// The application's hook said no.
    case hook
    /// There are no keys, as they could not be read yet: a temporary refusal.
    case unavailable
}
