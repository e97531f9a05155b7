import ArgumentParser
import Node

/// `submergence serve`: one node.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one node.",
        discussion: """
            What no flag says comes from the environment (--ping-interval is SUBMERGENCE_PING_INTERVAL there), then from the
            configuration file (ping.interval), then from the defaults. docs/configuration.md has all names. `submergence check`
            explains every value and every mistake. SIGHUP reads everything again, and applies what can change while a node runs.

            EXAMPLES
              submergence serve --dev
              submergence serve --config /etc/submergence.yaml
              submergence serve --domain app.example --signing-keys keys --mongodb 'mongodb://router/?directConnection=false'
            """,
        version: Version.text)

    @OptionGroup var source: SourceFlags

    @Flag(help: "Print the effective configuration as a file for --config, without secrets, and end.")
    var printConfig = false

    @OptionGroup var listeners: ListenerOptions
    @OptionGroup var mongo: MongoFlags
    @OptionGroup var limits: LimitFlags
    @OptionGroup var graces: GraceFlags
    @OptionGroup var identity: IdentityFlags
    @OptionGroup var tokens: TokenFlags
    @OptionGroup var tracing: TraceFlags
    @OptionGroup var outbox: OutboxFlags
    @OptionGroup var ice: ICEFlags
    @OptionGroup var webhooks: WebhookFlags
    @OptionGroup var outbound: OutboundFlags

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

    @OptionGroup var control: ControlServerFlags

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
        guard !self.outbox.outbox || self.mongo.isSet else {
            throw ValidationError("--outbox needs --mongodb: the outbox is a collection")
        }
        for name in self.webhooks.domainsOfSecrets where !self.domain.contains(name) {
            throw ValidationError("--webhook-domain-secret names \(name), which no --domain does")
        }
    }

    func run() async throws {
        let effective = EffectiveSettings.current(of: "serve")
        guard effective.mistakes.isEmpty else { throw Self.refusal(effective.mistakes) }
        if self.printConfig {
            print(PrintedConfiguration(effective).text, terminator: "")
            return
        }
        let configuration: Configuration
        do {
            configuration = try self.settings()
        } catch {
            Runner.complain(error)
            throw ExitCode.cannotStart
        }
        // Mistakes that are somewhere in a file or the environment are told with their place; others by the start.
        let found = ConfigurationCheck(effective).mistakes.filter(\.isForeign)
        guard found.isEmpty else { throw Self.refusal(found) }
        try await Runner.run(configuration, self.listeners.logging) { station, logs in
            Reloader(station: station, logs: logs, running: effective)
        }
    }

    /// Tells of all mistakes.
    private static func refusal(_ mistakes: [SettingMistake]) -> ExitCode {
        for mistake in mistakes { Runner.complain(mistake) }
        return mistakes.contains(where: \.isForeign) ? .wrongConfiguration : .validationFailure
    }

    /// - Parameter readingFiles: whether connection strings in files are read.
    func settings(readingFiles: Bool = true) throws(SecretFileError) -> Configuration {
        var settings = Configuration(mode: self.dev ? .development : .production)
        self.listeners.apply(to: &settings)
        settings.mongo = try self.mongo.options(readingFiles: readingFiles)
        self.tracing.apply(to: &settings)
        self.outbox.apply(to: &settings)
        settings.domains = self.domain.map { Configuration.Domain($0) }
        settings.publicPorts = Set(self.publicPort)
        if let file = self.signingKeys { settings.signingKeys = .file(file) }
        self.control.apply(to: &settings)
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
        self.webhooks.apply(to: &settings)
        self.outbound.apply(to: &settings)
        return settings
    }
}
