internal import NIOCore

/// What a ticket seals: the cookies, and what they stand for.
struct TicketContent: Equatable {
    let cookies: [SetCookie]
    let session: SessionTickets.Session

    init(cookies: [SetCookie], session: SessionTickets.Session) {
        self.cookies = cookies
        self.session = session
    }

    var bytes: [UInt8] {
        let cookies = self.cookies.map { cookie -> JSONValue in
            [
                "name": .string(cookie.name), "value": .string(cookie.value), "secure": .bool(cookie.isSecure),
                "httpOnly": .bool(cookie.isHTTPOnly), "sameSite": .string(cookie.sameSite.rawValue),
                "maxAge": cookie.maxAge.map { .int(Int64($0)) } ?? .null,
            ]
        }
        let value: JSONValue = [
            "cookies": .array(cookies), "standing": .string(self.session.standing.rawValue),
            "user": self.session.user.map { .string($0) } ?? .null,
            "client": self.session.client.map { .string($0) } ?? .null,
        ]
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        return Array(buffer.readableBytesView)
    }

    /// - Returns: nil for what ``bytes`` does not produce.
    init?(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(text: ByteBuffer(bytes: bytes)), case .array(let list)? = value["cookies"],
            let standing = value["standing"]?.string.flatMap(Agent.Standing.init)
        else { return nil }
        var cookies: [SetCookie] = []
        for item in list {
            guard let name = item["name"]?.string, let text = item["value"]?.string, CookieHeader.isToken(name),
                CookieHeader.isValue(text), let isSecure = item["secure"]?.bool,
                let isHTTPOnly = item["httpOnly"]?.bool,
                let sameSite = item["sameSite"]?.string.flatMap(SetCookie.SameSite.init)
            else { return nil }
            cookies.append(
                SetCookie(
                    name: name, value: text, isSecure: isSecure, isHTTPOnly: isHTTPOnly, sameSite: sameSite,
                    maxAge: item["maxAge"]?.int.map { Int($0) }))
        }
        self.cookies = cookies
        self.session = .init(standing: standing, user: value["user"]?.string, client: value["client"]?.string)
    }
}
