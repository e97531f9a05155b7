import ArgumentParser
import Node

/// Flags that say how MongoDB is reached.
struct MongoFlags: ParsableArguments {
    @Option(
        name: .customLong("mongodb"),
        help: ArgumentHelp(
            "Connection string of a replica set or sharded cluster. Without it the state is in memory, for one node.",
            valueName: "uri"))
    var uri: String?

    @Option(help: "Database; the inboxes lie in databases of this name with a suffix.")
    var database = "submergence"

    @Option(help: "How inboxes are read: auto, stream (change streams) or cursor (through the router).")
    var tail: TailMode = .auto

    @Option(
        name: .customLong("bus-uri"),
        help: ArgumentHelp(
            "Replica set that carries the bus; may be repeated. Default: the data shards.", valueName: "uri"))
    var busURIs: [String] = []

    @Option(
        name: .customLong("slot-size"),
        help: ArgumentHelp("Size of one inbox slot, fixed when the slots are made.", valueName: "MiB"))
    var slotMiB = 256

    func validate() throws {
        guard (1...16_384).contains(self.slotMiB) else { throw ValidationError("--slot-size takes 1 to 16384") }
    }

    var options: Configuration.Mongo? {
        guard let uri = self.uri else { return nil }
        var options = Configuration.Mongo(
            uri: uri, database: self.database, tail: self.tail.mode, busURIs: self.busURIs)
        options.slotSize = self.slotMiB << 20
        return options
    }
}

/// `--tail` in the words of the command line.
enum TailMode: String, ExpressibleByArgument, CaseIterable {
    case auto, stream, cursor

    var mode: Configuration.Mongo.Tail {
        switch self {
        case .auto: .auto
        case .stream: .stream
        case .cursor: .cursor
        }
    }
}
