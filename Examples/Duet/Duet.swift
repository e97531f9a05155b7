import ArgumentParser
import Metrics
import Node

/// `Duet`: people who call each other. The pages bring their own sound and vision, browser to browser; this program decides who
/// may call whom, and brings them together.
@main
struct Duet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calls between two people, on submergence.",
        discussion: """
            Runs in development mode, on loopback: `POST /login` logs anybody in.

            EXAMPLE
              Duet --port 8080
            """)

    @Option(help: "Port for clients.")
    var port = 8080

    @Option(help: "Port of the control listener. Default: the port for clients + 1000.")
    var controlPort: Int?

    @Option(help: "Connection string of MongoDB. Without it there is one node.")
    var mongodb: String?

    @Option(help: ArgumentHelp("Size of one inbox slot, fixed when the slots are made.", valueName: "MiB"))
    var slotSize = 256

    @Option(help: "The node's name.")
    var name: String?

    @Option(help: "File with signing keys, mode 0600; all nodes share one.")
    var signingKeys: String?

    @Option(help: ArgumentHelp("Age at which a session's token is replaced.", valueName: "seconds"))
    var sessionLifespan: Double?

    @Option(help: ArgumentHelp("How long a replaced token stays good once its successor came.", valueName: "seconds"))
    var renewalGrace: Double?

    @Flag(help: "Pages of other origins may connect.")
    var allowForeignSockets = false

    @Option(help: ArgumentHelp("Connection state recovery; 0: off.", valueName: "seconds"))
    var recovery = 0.0

    @Option(help: ArgumentHelp("A TURN relay that pages are told of.", valueName: "url"))
    var turnURL: [String] = []

    @Option(help: "File with the relay's secret, mode 0600.")
    var turnSecretFile: String?

    @Option(help: ArgumentHelp("How long credentials for it are good.", valueName: "seconds"))
    var turnLifetime = 3_600.0

    func run() async throws {
        let registry = PrometheusMetricsFactory()
        MetricsSystem.bootstrap(registry)
        let station = try Station(configuration: self.settings)
        station.expose(registry)
        station.onStart { lines in for line in lines { print(line) } }
        Stage(station: station).install()
        try await station.run()
    }

    private var settings: Configuration {
        var settings = Configuration(mode: .development)
        settings.servesDemo = false
        settings.listener.port = self.port
        settings.control = self.controlPort.map { .init(port: $0) }
        if let uri = self.mongodb {
            var mongo = Configuration.Mongo(uri: uri, database: "duet")
            mongo.slotSize = self.slotSize << 20
            settings.mongo = mongo
        }
        settings.name = self.name
        if let keys = self.signingKeys { settings.signingKeys = .file(keys) }
        if let seconds = self.sessionLifespan {
            settings.sessions.sessionLifespan = seconds
            // A session is looked at often enough to be renewed in time.
            settings.sessions.activityResolution = min(settings.sessions.activityResolution, seconds / 4)
        }
        if let seconds = self.renewalGrace { settings.sessions.renewalGrace = seconds }
        settings.live.allowForeignSockets = self.allowForeignSockets
        settings.live.recoveryWindow = self.recovery
        settings.ice.turnURLs = self.turnURL
        if let file = self.turnSecretFile { settings.ice.turnSecret = .file(file) }
        settings.ice.turnLifetime = self.turnLifetime
        return settings
    }
}
