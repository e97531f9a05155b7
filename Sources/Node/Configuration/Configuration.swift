import Foundation

/// Everything that a ``Station`` can be told. Each property has a default that is safe in production; ``development``
/// relaxes what DESIGN §9 names, and nothing else.
public struct Configuration: Sendable {
    /// What the node is for. One switch with one meaning (docs/operations.md, "Modes").
    public enum Mode: Sendable, Equatable {
        case production
        /// Loopback only; any loopback host is the domain `localhost`; the identity in a CONNECT payload is believed.
        case development
        /// Development with the settings of the official protocol suites; guests may connect.
        case conformance
    }

    /// A TCP address to listen on.
    public struct Listener: Sendable, Equatable {
        public var host: String
        /// 0 lets the system choose.
        public var port: Int

        public init(host: String = "127.0.0.1", port: Int) {
            self.host = host
            self.port = port
        }
    }

    public var mode: Mode
    /// Where clients connect. Default 127.0.0.1:8080.
    public var listener: Listener
    /// Where operators look: metrics, health. Default the public port + 1000 on loopback.
    public var control: Listener?
    /// The domains that are served, with their aliases (SPEC TR-1). At least one outside development mode.
    public var domains: [Domain]
    /// Ports beside 80 and 443 that clients may name in `Host` and `Origin` (SPEC TR-1, ID-5).
    public var publicPorts: Set<Int>
    /// nil: one node with its state in memory.
    public var mongo: Mongo?
    /// A unique node name, stable over restarts (SPEC ND-5); nil for a nameless node.
    public var name: String?
    /// Where a browser reaches this very node, e.g. `http://127.0.0.1:8081`; shown by the demo.
    public var address: String?
    /// Event loops, 1 to 64; 0: one per core.
    public var eventLoops: Int
    /// Where the signing keys come from (SPEC ID-2, OP-1). Development makes them at start if there is none.
    public var signingKeys: KeySource
    /// Proxies whose `X-Forwarded-*` headers are believed, as CIDR blocks (SPEC TR-2).
    public var trustedProxies: [String]
    /// Seconds after which the signing key file is read again; 0: only on order. Default 30.
    public var signingKeyRefresh: Double
    /// File of the control API's keys, as `submergence keys` makes it, read again as often as the signing keys (SPEC RM-1).
    /// Default none: the API is refused in production, and the control listener stays on loopback.
    public var controlKeys: String?
    public var controlAPI: ControlOptions
    public var sessions: SessionOptions
    /// Identity providers whose tokens are taken beside session cookies. Default none.
    public var tokenIssuers: [TokenIssuer]
    public var live: LiveOptions
    /// Servers that help browsers to find a way to each other. Default none.
    public var ice: ICEOptions
    /// Addresses that are not public and to which webhooks may go all the same, also by `http`: addresses or CIDR blocks, as
    /// `10.1.0.0/16`. Default none: whoever may configure a target must not look into the node's own network.
    public var webhookPrivateTargets: [String]
    /// File of certificates (PEM text) of authorities that are trusted beside the system's where webhooks and key sets of
    /// token issuers are asked by `https`. Read at start. Default none.
    public var outboundCA: String?
    public var http: HTTPOptions
    /// Whether `/demo/` is served and its events are sent. Default: in development mode.
    public var servesDemo: Bool
    /// Whether ``Station/run()`` drains on SIGTERM and SIGINT by itself. Set to false in a service group of your own.
    public var handlesSignals: Bool
    /// Where announced presence is logged as JSON lines, for tests and audits; nil: nowhere.
    public var presenceLog: String?

    /// A domain and the other names that it answers to.
    public struct Domain: Sendable, Equatable {
        public var name: String
        /// Exact names or `*.` wildcards.
        public var aliases: [String]
        public var options: DomainOptions

        public init(_ name: String, aliases: [String] = [], options: DomainOptions = DomainOptions()) {
            self.name = name
            self.aliases = aliases
            self.options = options
        }
    }

    /// Where signing keys come from.
    public enum KeySource: Sendable, Equatable {
        /// A file of mode 0600 with one base64url key of at least 32 bytes a line; the first signs, all verify.
        case file(String)
        /// Made at start: refused outside development mode, as no other node and no restart would know it.
        case generated
    }

    public init(mode: Mode = .production) {
        self.mode = mode
        self.listener = Listener(port: 8080)
        self.control = nil
        self.domains = []
        self.publicPorts = []
        self.mongo = nil
        self.name = nil
        self.address = nil
        self.eventLoops = 0
        self.signingKeys = .generated
        self.trustedProxies = ["127.0.0.0/8", "::1/128"]
        self.signingKeyRefresh = 30
        self.controlKeys = nil
        self.controlAPI = ControlOptions()
        self.sessions = SessionOptions()
        self.tokenIssuers = []
        self.live = LiveOptions(mode: mode)
        self.ice = ICEOptions()
        self.webhookPrivateTargets = []
        self.outboundCA = nil
        self.http = HTTPOptions()
        self.presenceLog = nil
        self.servesDemo = mode == .development
        self.handlesSignals = true
    }

    /// One node on loopback with everything in memory: for writing an application. `SUBMERGENCE_PORT` and
    /// `SUBMERGENCE_CONTROL_PORT` in the environment choose other ports than 8080 and 9080.
    public static var development: Configuration {
        var configuration = Configuration(mode: .development)
        let environment = ProcessInfo.processInfo.environment
        if let port = environment["SUBMERGENCE_PORT"].flatMap({ Int($0) }) { configuration.listener.port = port }
        if let port = environment["SUBMERGENCE_CONTROL_PORT"].flatMap({ Int($0) }) {
            configuration.control = Listener(port: port)
        }
        return configuration
    }
}
