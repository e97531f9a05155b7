import ArgumentParser
import Node

/// `submergence conformance`: the server that the official protocol suites, load and cluster runs talk to.
struct Conformance: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server that the official Engine.IO and Socket.IO suites test.",
        discussion: """
            Loopback only. Engine.IO echo on /engine.io/; bare WebSocket echo on /echo; Socket.IO on /socket.io/ with `message`, `message-with-ack`,
            `echo` (ack returns the arguments) and `pub` (user, payload, optionally {client, confirm, trace}: sends ["msg", payload]; ack returns the receipt).

            EXAMPLE
              submergence conformance --port 3000
            """,
        version: Version.text)

    @OptionGroup var listeners: ListenerOptions
    @OptionGroup var mongo: MongoFlags

    @Option(help: "File with signing keys; several nodes share one.")
    var signingKeys: String?

    @Option(help: "Unique node name that stays over restarts.")
    var name: String?

    @Option(help: "Milliseconds between heartbeats; the suites expect 300.")
    var pingInterval = 300

    @Option(help: "Milliseconds to answer one; the suites expect 200.")
    var pingTimeout = 200

    @Option(help: "Bytes of one POST body or WebSocket message. What may wait for one socket grows with it.")
    var maxPayload = 1_000_000

    @Option(help: "Fragments of one WebSocket message.")
    var maxFragments = 1_024

    @OptionGroup var transport: TransportFlags
    @OptionGroup var graces: GraceFlags
    @OptionGroup var identity: IdentityFlags
    @OptionGroup var tokens: TokenFlags
    @OptionGroup var outbound: OutboundFlags
    @OptionGroup var tracing: TraceFlags

    @Option(help: "A domain that is served, in place of the one of development mode; may be repeated.")
    var domain: [String] = []

    @Option(help: "Append announced presence to this file, as JSON lines.")
    var logPresence: String?

    func validate() throws {
        guard (1...(1 << 30)).contains(self.maxPayload) else { throw ValidationError("--max-payload takes 1 to 1 GiB") }
        guard self.maxFragments > 0 else { throw ValidationError("--max-fragments takes 1 or more") }
    }

    func run() async throws {
        var settings = Configuration(mode: .conformance)
        self.listeners.apply(to: &settings)
        settings.mongo = try Runner.mongo(self.mongo)
        self.tracing.apply(to: &settings)
        if let file = self.signingKeys { settings.signingKeys = .file(file) }
        settings.name = self.name
        settings.live.pingInterval = Double(self.pingInterval) / 1000
        settings.live.pingTimeout = Double(self.pingTimeout) / 1000
        settings.live.maximumPayload = self.maxPayload
        settings.live.maximumUnsent = max(settings.live.maximumUnsent, 2 * self.maxPayload + 1_024)
        settings.live.transport.maximumFragments = self.maxFragments
        self.transport.apply(to: &settings.live.transport)
        self.graces.apply(to: &settings.live)
        settings.presenceLog = self.logPresence
        settings.domains = self.domain.map { Configuration.Domain($0) }
        settings.publicPorts = [self.listeners.port]
        self.identity.apply(to: &settings)
        self.tokens.apply(to: &settings)
        self.outbound.apply(to: &settings)
        try await Runner.run(settings, self.listeners.logging)
    }
}
