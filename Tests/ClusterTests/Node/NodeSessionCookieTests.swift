import Testing

@testable import Node

@Suite("ID-3: cookies")
struct NodeSessionCookieTests {
    private static let secret = SessionSecret("v1." + String(repeating: "A", count: 43))

    private static func login(_ options: SessionOptions, isRemembered: Bool) throws -> [String] {
        SessionCookies(options).login(try #require(Self.secret), domesticToken: "T", isRemembered: isRemembered).map(
            \.text)
    }

    @Test("ID-3: a login's cookies, to the byte")
    func secure() throws {
        let value = "v1." + String(repeating: "A", count: 43)
        #expect(
            try Self.login(SessionOptions(), isRemembered: false) == [
                "__Host-session=\(value); Path=/; Secure; HttpOnly; SameSite=Lax",
                "__Host-domestic=T; Path=/; Secure; SameSite=Strict",
                "__Host-loggedOut=; Path=/; Max-Age=0; Secure; SameSite=Lax",
            ])
        #expect(
            try Self.login(SessionOptions(), isRemembered: true).prefix(2) == [
                "__Host-session=\(value); Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax",
                "__Host-domestic=T; Path=/; Max-Age=31536000; Secure; SameSite=Strict",
            ])
    }

    @Test("ID-3: plain names without Secure only with insecureCookies")
    func insecure() throws {
        var options = SessionOptions()
        options.insecureCookies = true
        let value = "v1." + String(repeating: "A", count: 43)
        #expect(
            try Self.login(options, isRemembered: false) == [
                "session=\(value); Path=/; HttpOnly; SameSite=Lax", "domestic=T; Path=/; SameSite=Strict",
                "loggedOut=; Path=/; Max-Age=0; SameSite=Lax",
            ])
        #expect(
            SessionCookies(options).logout(isRemembered: false).map(\.name) == ["session", "domestic", "loggedOut"])
    }

    @Test("ID-3: SameSite=None with Partitioned only by explicit option")
    func crossSite() throws {
        var options = SessionOptions()
        options.crossSiteCookies = true
        for text in try Self.login(options, isRemembered: false) {
            #expect(text.hasSuffix("; SameSite=None; Partitioned") && text.contains("; Secure"))
        }
    }

    @Test("RFC 6265: cookies are read strictly")
    func parsing() {
        let cookies = CookieHeader(["a=1; b=2;c=3 ;  d = 4; =5; e; f=\"q\"; g=h=i; A=6", "b=7"])
        #expect(cookies.lookup("a") == .value("1"))
        #expect(cookies.lookup("A") == .value("6"))
        #expect(cookies.lookup("b") == .ambiguous)
        #expect(cookies.lookup("c") == .value("3"))
        #expect(cookies.lookup("d") == .absent)
        #expect(cookies.lookup("e") == .absent)
        #expect(cookies.lookup("f") == .absent)
        #expect(cookies.lookup("g") == .value("h=i"))
        #expect(cookies.lookup("") == .absent)
    }
}
