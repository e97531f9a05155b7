import ArgumentParser
import Node

/// `submergence serve`: one node.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one node.",
        discussion: """
            EXAMPLES
              submergence serve --dev
              submergence serve --domain app.example --signing-keys keys --mongodb 'mongodb://router/?directConnection=false'
            """,
        version: Version.text)

    @OptionGroup var listeners: ListenerOptions
    @OptionGroup var mongo: MongoFlags
    @OptionGroup var limits: LimitFlags
    @OptionGroup var graces: GraceFlags
    @OptionGroup var identity: IdentityFlags
    @OptionGroup var tokens: TokenFlags
    @OptionGroup var tracing: TraceFlags
    @OptionGroup var ice: ICEFlags

    @Flag(help: "Development mode: loopback only, identities are believed, keys are made at start, /demo/ is served.")
    var dev = false

    @Option(help: "A domain that is served; the first is the default one. May be repeated.")
    var domain: [String] = []

    @Option(help: "A port beside 80 and 443 that browsers name in Host and Origin. May be repeated.")
    var publicPort: [Int] = []

    @Option(
        help: ArgumentHelp(
            "A proxy whose X-Forwarded-* headers are believed; may be repeated. Default: loopback.", valueName: "cidr"))
    var trustedProxy: [String] = []

    @OptionGroup var transport: TransportFlags

    @Option(help: "File with signing keys, mode 0600, one base64url key of 32 bytes or more a line.")
    var signingKeys: String?

    @Option(help: "File with the control API's keys, as `submergence keys` makes it.")
    var controlKeys: String?

    @Option(help: "Unique node name that stays over restarts.")
    var name: String?

    @Option(help: "Where a browser reaches this very node, e.g. http://127.0.0.1:8081.")
    var address: String?

    @Option(help: "Append announced presence to this file, as JSON lines.")
    var logPresence: String?

    func validate() throws {
        guard self.dev || self.mongo.testFormats == nil else {
            throw ValidationError("--test-formats is for development mode")
        }
    }

    func run() async throws {
        try await Runner.run(self.settings, logLevel: self.listeners.logLevel)
    }

    private var settings: Configuration {
        var settings = Configuration(mode: self.dev ? .development : .production)
        self.listeners.apply(to: &settings)
        settings.mongo = self.mongo.options
        self.tracing.apply(to: &settings)
        settings.domains = self.domain.map { Configuration.Domain($0) }
        settings.publicPorts = Set(self.publicPort)
        if let file = self.signingKeys { settings.signingKeys = .file(file) }
        settings.controlKeys = self.controlKeys
        if !self.trustedProxy.isEmpty { settings.trustedProxies = self.trustedProxy }
        settings.name = self.name
        self.transport.apply(to: &settings.live.transport)
        settings.address = self.address ?? (self.dev ? "http://\(self.listeners.host):\(self.listeners.port)" : nil)
        self.graces.apply(to: &settings.live)
        settings.presenceLog = self.logPresence
        self.limits.apply(to: &settings)
        self.identity.apply(to: &settings)
        self.tokens.apply(to: &settings)
        self.ice.apply(to: &settings)
        return settings
    }
}
