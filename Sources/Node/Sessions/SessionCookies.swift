/// Names and attributes of the session's cookies (SPEC ID-3, ID-12).
package struct SessionCookies: Sendable {
    package let session: String
    package let domestic: String
    package let loggedOut: String
    private let isSecure: Bool
    private let isCrossSite: Bool
    private let lifespan: Int

    package init(_ options: SessionOptions) {
        let prefix = options.insecureCookies ? "" : "__Host-"
        self.session = prefix + "session"
        self.domestic = prefix + "domestic"
        self.loggedOut = prefix + "loggedOut"
        self.isSecure = !options.insecureCookies
        self.isCrossSite = options.crossSiteCookies
        self.lifespan = Int(options.cookieLifespan)
    }

    /// The cookies of a login. They persist iff it is remembered; a note of an earlier logout goes.
    package func login(_ secret: SessionSecret, domesticToken: String, isRemembered: Bool) -> [SetCookie] {
        let age = isRemembered ? self.lifespan : nil
        return [
            self.session(secret.text, maxAge: age), self.domestic(domesticToken, maxAge: age),
            self.loggedOut("", maxAge: 0),
        ]
    }

    /// The cookies of a logout: a remembered session keeps its own.
    package func logout(isRemembered: Bool) -> [SetCookie] {
        let note = self.loggedOut("1", maxAge: nil)
        return isRemembered ? [note] : [self.session("", maxAge: 0), self.domestic("", maxAge: 0), note]
    }

    private func session(_ value: String, maxAge: Int?) -> SetCookie {
        self.cookie(self.session, value, isHTTPOnly: true, sameSite: .lax, maxAge: maxAge)
    }

    private func domestic(_ value: String, maxAge: Int?) -> SetCookie {
        self.cookie(self.domestic, value, isHTTPOnly: false, sameSite: .strict, maxAge: maxAge)
    }

    private func loggedOut(_ value: String, maxAge: Int?) -> SetCookie {
        self.cookie(self.loggedOut, value, isHTTPOnly: false, sameSite: .lax, maxAge: maxAge)
    }

    private func cookie(
        _ name: String, _ value: String, isHTTPOnly: Bool, sameSite: SetCookie.SameSite, maxAge: Int?
    ) -> SetCookie {
        SetCookie(
            name: name, value: value, isSecure: self.isSecure, isHTTPOnly: isHTTPOnly,
            sameSite: self.isCrossSite ? .none : sameSite, maxAge: maxAge)
    }
}
