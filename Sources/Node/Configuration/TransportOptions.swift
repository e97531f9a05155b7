import NIOCore
import Routing
import Wire

/// The two transports of Engine.IO, and what of HTTP and WebSocket is a choice. Everything that a stock client does not
/// need is off.
public struct TransportOptions: Sendable {
    public enum Transport: String, Sendable, CaseIterable {
        case polling, websocket
    }

    /// Where Socket.IO lives; answered with and without its last slash (SOCKETIO §2.1). Default `/socket.io/`.
    public var path = "/socket.io/"
    /// Default both. Requests for another one get code 0.
    public var transports: Set<Transport> = [.polling, .websocket]
    /// Whether polling sessions may move to WebSocket. Default true.
    public var allowUpgrades = true
    /// Seconds that such a move may take. Default 10.
    public var upgradeTimeout: Double = 10
    /// Fragments of one WebSocket message. Default 1,024 (SOCKETIO §18).
    public var maximumFragments = 1_024
    /// Subprotocols that may be selected; a client that offers none of them gets none. Default none.
    public var subprotocols: [String] = []
    /// A cookie for proxies that route by one. Default nil: none.
    public var cookie: AffinityCookie?
    /// Put before the ids of sessions that poll, with a hyphen, so that a proxy sees which node a request belongs to
    /// (docs/operations.md, "The proxy"). 1 to 32 letters, digits and underscores, and the same for no two nodes. Default
    /// nil: none.
    public var sessionLabel: String?
    public var crossOrigin = CrossOriginOptions()
    /// gzip or deflate for the answers to polls, as the client accepts. Default nil: off. An answer that holds a secret
    /// beside what others may choose tells the secret's length to who can see the network.
    public var pollingCompression: Compression?
    /// permessage-deflate (RFC 7692). Default nil: off, and offers are declined (docs/adr/0010-permessage-deflate.md).
    public var messageCompression: Compression?
    /// Seconds that an `allowRequest` hook may take; then the handshake is refused with 503. Default 5.
    public var allowRequestTimeout: Double = 5

    /// How much is worth compressing, and how hard to try.
    public struct Compression: Sendable, Equatable {
        /// Bytes below which an answer or message goes as it is. Default 1,024.
        public var threshold: Int
        /// 1, fastest, to 9, smallest. Default 1: 6 costs up to twice the time for a few hundredths of the size.
        public var level: Int
        /// For messages: later ones may refer to earlier ones. Smaller, but each connection then keeps up to 310 KB.
        /// Default false: nothing per connection.
        public var keepsContext: Bool
        /// For messages: bits of the window, 9 to 15. Default 15.
        public var windowBits: Int

        public init(threshold: Int = 1_024, level: Int = 1, keepsContext: Bool = false, windowBits: Int = 15) {
            self.threshold = threshold
            self.level = level
            self.keepsContext = keepsContext
            self.windowBits = windowBits
        }

        fileprivate var complaint: String? {
            if self.threshold < 0 { return "a compression threshold must not be negative" }
            if !(1...9).contains(self.level) { return "a compression level must be 1 to 9" }
            return (9...15).contains(self.windowBits) ? nil : "windowBits must be 9 to 15"
        }
    }

    public init() {}

    var agreementPolicy: DeflateAgreement.Policy? {
        self.messageCompression.map { .init(keepsContext: $0.keepsContext, windowBits: $0.windowBits) }
    }

    /// Whether a proxy can see which node a session belongs to.
    var namesNode: Bool { self.sessionLabel != nil || self.cookie != nil }

    var compresses: Bool { self.messageCompression != nil || self.pollingCompression != nil }

    /// The path without its last slash; empty for `/`.
    var barePath: Substring { self.path.hasSuffix("/") ? self.path.dropLast() : Substring(self.path) }

    func apply(to engine: inout EngineOptions) {
        engine.allowsPolling = self.transports.contains(.polling)
        engine.allowsWebSocket = self.transports.contains(.websocket)
        engine.allowsUpgrades = self.allowUpgrades
        engine.upgradeTimeout = .milliseconds(Int64(self.upgradeTimeout * 1000))
        engine.maxFragments = self.maximumFragments
    }

    private static func isLabel(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { Base64URL.value(of: $0) != nil && $0 != UInt8(ascii: "-") }
    }

    /// What is wrong with the options, in words; nil when nothing is.
    var complaint: String? {
        guard self.path.hasPrefix("/"), self.path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            !self.path.contains("?"), !self.path.contains("#"), !self.path.contains("%")
        else { return "path must begin with a slash and be plain ASCII" }
        if self.transports.isEmpty { return "transports must name at least one" }
        for (name, value) in [
            ("upgradeTimeout", self.upgradeTimeout), ("allowRequestTimeout", self.allowRequestTimeout),
        ] where !(value >= 0.01 && value <= 600) { return "\(name) must be 10 ms to 10 minutes" }
        if self.maximumFragments < 1 { return "maximumFragments must be at least 1" }
        for name in self.subprotocols where !AffinityCookie.isToken(name) { return "subprotocol \(name) is no token" }
        if let label = self.sessionLabel, !Self.isLabel(label) {
            return "sessionLabel must be 1 to 32 letters, digits and underscores"
        }
        return self.cookie?.complaint ?? self.crossOrigin.complaint ?? self.pollingCompression?.complaint
            ?? self.messageCompression?.complaint
    }
}
