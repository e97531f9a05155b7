/// A `Set-Cookie` field (RFC 6265 §4.1), always for the whole host: `Path=/`, no `Domain`.
package struct SetCookie: Sendable, Hashable {
    package enum SameSite: String, Sendable {
        case strict = "Strict"
        case lax = "Lax"
        /// Also `Partitioned`, so that the cookie does not travel between top-level sites.
        case none = "None"
    }

    package let name: String
    package let value: String
    package let isSecure: Bool
    package let isHTTPOnly: Bool
    package let sameSite: SameSite
    /// Seconds; nil: until the browser ends. 0 removes the cookie.
    package let maxAge: Int?

    package init(
        name: String, value: String, isSecure: Bool, isHTTPOnly: Bool, sameSite: SameSite, maxAge: Int?
    ) {
        precondition(CookieHeader.isToken(name) && CookieHeader.isValue(value), "cookies are made by us")
        self.name = name
        self.value = value
        self.isSecure = isSecure
        self.isHTTPOnly = isHTTPOnly
        self.sameSite = sameSite
        self.maxAge = maxAge
    }

    package var text: String {
        var text = "\(self.name)=\(self.value); Path=/"
        if let maxAge = self.maxAge { text += "; Max-Age=\(maxAge)" }
        if self.isSecure { text += "; Secure" }
        if self.isHTTPOnly { text += "; HttpOnly" }
        text += "; SameSite=\(self.sameSite.rawValue)"
        if self.sameSite == .none { text += "; Partitioned" }
        return text
    }
}
