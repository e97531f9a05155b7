import ArgumentParser
import Foundation
import Metrics
import Node

/// `Postboard`: friends who write to each other. One process is one node; all nodes of one machine share the journal.
@main
struct Postboard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A board for friends, on submergence.",
        discussion: """
            Without --domain it runs in development mode, on loopback.

            EXAMPLE
              Postboard --client path/to/socket.io.min.js
            """)

    @Option(help: "Port for clients.")
    var port = 8080

    @Option(help: "Port of the control listener. Default: the port for clients + 1000.")
    var controlPort: Int?

    @Option(help: "The domain that is served. Without it: development mode.")
    var domain: String?

    @Option(help: "File with signing keys, mode 0600; all nodes share one. Needed with --domain.")
    var signingKeys: String?

    @Option(help: "Connection string of MongoDB. Without it there is one node.")
    var mongodb: String?

    @Option(help: ArgumentHelp("Size of one inbox slot, fixed when the slots are made.", valueName: "MiB"))
    var slotSize = 256

    @Option(help: "The node's name.")
    var name: String?

    @Option(help: "File that holds accounts, posts and friends.")
    var journal = "postboard.journal"

    @Option(help: "The official Socket.IO client for browsers, socket.io.min.js. Default: $POSTBOARD_CLIENT.")
    var client: String?

    func run() async throws {
        let registry = PrometheusMetricsFactory()
        MetricsSystem.bootstrap(registry)
        let station = try Station(configuration: self.settings)
        station.expose(registry)
        station.onStart { lines in for line in lines { print(line) } }
        station.pages(try self.pages)

        let journal = try Journal(path: self.journal)
        let passwords = Passwords()
        let friends = Friends(station: station, journal: journal)
        let node = self.name ?? "this node"
        Accounts(station: station, journal: journal, passwords: passwords, node: node).install()
        Posts(station: station, journal: journal, friends: friends, node: node).install()
        friends.install()
        try await station.run()
        try await passwords.shutDown()
        try await journal.shutDown()
    }

    private var settings: Configuration {
        var settings = Configuration(mode: self.domain == nil ? .development : .production)
        settings.servesDemo = false
        settings.listener.port = self.port
        settings.control = self.controlPort.map { .init(port: $0) }
        if let domain = self.domain { settings.domains = [.init(domain)] }
        if let keys = self.signingKeys { settings.signingKeys = .file(keys) }
        if let uri = self.mongodb {
            var mongo = Configuration.Mongo(uri: uri, database: "postboard")
            mongo.slotSize = self.slotSize << 20
            settings.mongo = mongo
        }
        settings.name = self.name
        return settings
    }

    /// The pages in this binary, and the client, which is somebody else's and so not part of this project.
    private var pages: [String: [UInt8]] {
        get throws {
            guard let client = self.client ?? ProcessInfo.processInfo.environment["POSTBOARD_CLIENT"] else {
                throw ValidationError("where is socket.io.min.js? Name it with --client, or in POSTBOARD_CLIENT.")
            }
            return [
                "index.html": PackageResources.index_html, "postboard.js": PackageResources.postboard_js,
                "postboard.css": PackageResources.postboard_css,
                "socket.io.min.js": Array(try Data(contentsOf: URL(filePath: client))),
            ]
        }
    }
}
