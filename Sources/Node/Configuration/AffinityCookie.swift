/// A cookie in the answer to a handshake, for proxies that keep a client on its node by one (SOCKETIO §2.6). Its value is
/// a label of the node, never the session: that one is a secret.
public struct AffinityCookie: Sendable, Equatable {
    public enum SameSite: String, Sendable, CaseIterable {
        case strict = "Strict"
        case lax = "Lax"
        /// For pages of other sites; browsers take it only over TLS.
        case none = "None"
    }

    /// Default `io`.
    public var name: String
    /// Default `/`.
    public var path: String
    /// Default lax.
    public var sameSite: SameSite
    /// Default true: no script needs it.
    public var httpOnly: Bool

    public init(name: String = "io", path: String = "/", sameSite: SameSite = .lax, httpOnly: Bool = true) {
        self.name = name
        self.path = path
        self.sameSite = sameSite
        self.httpOnly = httpOnly
    }

    var complaint: String? {
        guard Self.isToken(self.name) else { return "the cookie's name is no token" }
        guard self.path.hasPrefix("/"), self.path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3B }) else {
            return "the cookie's path must begin with a slash and hold no semicolon"
        }
        return nil
    }

    /// The value of `Set-Cookie`.
    /// - Parameter isSecure: the client's connection is encrypted (SPEC TR-2).
    func field(label: String, isSecure: Bool) -> String {
        var text = "\(self.name)=\(label); Path=\(self.path)"
        if self.httpOnly { text += "; HttpOnly" }
        text += "; SameSite=\(self.sameSite.rawValue)"
        if isSecure { text += "; Secure" }
        return text
    }

    static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
