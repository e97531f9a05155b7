/// The servers by whose help browsers find a way to each other (SPEC LK-18, docs/turn.md). None by default: then pages reach
/// each other where their networks do, and nothing third-party is contacted.
public struct ICEOptions: Sendable, Equatable {
    /// The secret that the relays check credentials by; it is in no option that a list of processes would show (SPEC OP-1).
    public enum Secret: Sendable, Equatable {
        case none
        /// A file of mode 0600: its first line signs. It is read again every ``Configuration/signingKeyRefresh`` seconds.
        case file(String)
        /// Its bytes, as from the environment.
        case value(String)
    }

    /// `stun:` and `stuns:` addresses, which need no credentials. Default none.
    public var servers: [String] = []
    /// `turn:` and `turns:` addresses of relays that share the secret. Default none.
    public var turnURLs: [String] = []
    public var turnSecret = Secret.none
    /// Seconds for which credentials are good, 10 to 86,400. Default 3,600: an allocation that was made in time outlives them,
    /// so that a shorter life costs requests and ends nothing (docs/turn.md).
    public var turnLifetime: Double = 3_600

    /// Addresses of both kinds together: browsers are slow with more.
    static let mostURLs = 16
    /// Bytes of one address.
    static let longestURL = 512

    public init() {}

    /// What is wrong with the options, in words; nil when nothing is.
    var complaint: String? {
        guard self.servers.count + self.turnURLs.count <= Self.mostURLs else {
            return "there are more than \(Self.mostURLs) addresses"
        }
        for (urls, schemes) in [(self.servers, ["stun:", "stuns:"]), (self.turnURLs, ["turn:", "turns:"])] {
            for url in urls where !Self.isAddress(url, schemes) {
                return "\"\(url.prefix(80))\" is no address that begins with \(schemes.joined(separator: " or "))"
            }
        }
        guard self.turnURLs.isEmpty == (self.turnSecret == .none) else {
            return self.turnURLs.isEmpty ? "there is a secret, but no relay" : "relays need a secret"
        }
        guard (10...86_400).contains(self.turnLifetime) else { return "turnLifetime must be 10 s to a day" }
        return nil
    }

    private static func isAddress(_ url: String, _ schemes: [String]) -> Bool {
        guard let scheme = schemes.first(where: { url.hasPrefix($0) }) else { return false }
        return url.utf8.count > scheme.utf8.count && url.utf8.count <= Self.longestURL
            && url.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }
    }
}
