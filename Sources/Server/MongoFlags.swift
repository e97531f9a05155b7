import ArgumentParser
import Node
import Wire

/// Flags that say how MongoDB is reached.
struct MongoFlags: ParsableArguments {
    @Option(
        name: .customLong("mongodb"),
        help: ArgumentHelp(
            "Connection string of a replica set or sharded cluster. Without it the state is in memory, for one node.",
            valueName: "uri"))
    var uri: String?

    @Option(
        name: .customLong("mongodb-uri-file"),
        help: ArgumentHelp(
            "File of mode 0600 whose first line is the connection string, in place of --mongodb.", valueName: "path"))
    var uriFile: String?

    @Option(help: "Database; the inboxes lie in databases of this name with a suffix.")
    var database = "submergence"

    @Option(
        help: ArgumentHelp(
            "Put before the names of all collections, so that several installations share a database. Default: nothing.",
            valueName: "prefix"))
    var collectionPrefix: String?

    @Option(help: "How inboxes are read: auto, stream (change streams) or cursor (through the router).")
    var tail: TailMode = .auto

    @Option(
        name: .customLong("bus-uri"),
        help: ArgumentHelp(
            "Replica set that carries the bus; may be repeated. Default: the data shards.", valueName: "uri"))
    var busURIs: [String] = []

    @Option(
        name: .customLong("bus-uri-file"),
        help: ArgumentHelp(
            "File of mode 0600 with one such connection string a line, in place of --bus-uri.", valueName: "path"))
    var busURIFile: String?

    @Option(
        name: .customLong("slot-size"),
        help: ArgumentHelp("Size of one inbox slot, fixed when the slots are made.", valueName: "MiB"))
    var slotMiB = 256

    /// `newest:written`, in place of this version's: for tests of two versions at once.
    @Option(help: .hidden)
    var testFormats: String?

    /// nil for this version's own.
    private var formats: Formats?? {
        guard let text = self.testFormats else { return .some(nil) }
        let numbers = text.split(separator: ":").compactMap { Int($0) }
        guard numbers.count == 2, (1...200).contains(numbers[0]), (1...numbers[0]).contains(numbers[1]) else {
            return nil
        }
        return Formats(newest: numbers[0], written: numbers[1])
    }

    func validate() throws {
        guard self.formats != nil else { throw ValidationError("--test-formats takes NEWEST:WRITTEN") }
        guard (1...16_384).contains(self.slotMiB) else { throw ValidationError("--slot-size takes 1 to 16384") }
        guard self.uri == nil || self.uriFile == nil else {
            throw ValidationError("--mongodb and --mongodb-uri-file: one of the two")
        }
        guard self.busURIs.isEmpty || self.busURIFile == nil else {
            throw ValidationError("--bus-uri and --bus-uri-file: one of the two")
        }
    }

    /// Whether there is a MongoDB at all.
    var isSet: Bool { self.uri != nil || self.uriFile != nil }

    /// - Parameter readingFiles: false where what is in files does not matter: then it is taken for a connection string.
    func options(readingFiles: Bool = true) throws(SecretFileError) -> Configuration.Mongo? {
        func lines(_ file: String, _ flag: String) throws(SecretFileError) -> [String] {
            readingFiles ? try SecretFile.lines(of: file, flag: flag) : ["mongodb://\(flag)"]
        }
        let uri = try self.uriFile.map { file throws(SecretFileError) in
            try lines(file, "mongodb-uri-file")[0]
        }
        guard let uri = uri ?? self.uri else { return nil }
        let bus = try self.busURIFile.map { file throws(SecretFileError) in try lines(file, "bus-uri-file") }
        var options = Configuration.Mongo(
            uri: uri, database: self.database, tail: self.tail.mode, busURIs: bus ?? self.busURIs)
        options.collectionPrefix = self.collectionPrefix ?? ""
        options.slotSize = self.slotMiB << 20
        if let formats = self.formats.flatMap(\.self) { options.formats = formats }
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
