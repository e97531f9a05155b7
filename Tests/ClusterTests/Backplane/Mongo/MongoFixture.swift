import Foundation
import Testing

@testable import Backplane

/// Real MongoDB clusters for the tests of this process: started once, on free ports, in a temporary folder; ended when the
/// process ends, however it ends.
///
/// `SUBMERGENCE_TEST_MONGODB_SHARDED` and `SUBMERGENCE_TEST_MONGODB_REPLSET` name running ones to use in their place.
enum MongoFixture: String, CaseIterable, CustomTestStringConvertible {
    /// Two shards of one member each behind a router.
    case sharded
    /// One replica set of one member.
    case replicaSet

    var testDescription: String { self.rawValue }

    /// The connection string. The first use starts the cluster, which takes some seconds.
    var uri: String {
        get throws {
            switch self {
            case .sharded: try Self.shardedCluster.get()
            case .replicaSet: try Self.replicaSetCluster.get()
            }
        }
    }

    /// A database of its own for a test.
    static func database() -> String { "test_\(UInt64.random(in: .min ... .max))" }

    func pool(_ options: MongoPoolOptions = MongoPoolOptions()) throws -> MongoPool {
        try MongoPool(uri: self.uri, options: options)
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private static let shardedCluster = Result {
        try start("SUBMERGENCE_TEST_MONGODB_SHARDED", ["up", "--shards", "2", "--replicas", "1"])
    }

    private static let replicaSetCluster = Result {
        try start("SUBMERGENCE_TEST_MONGODB_REPLSET", ["replset", "--replicas", "1"])
    }

    private static func start(_ variable: String, _ arguments: [String]) throws -> String {
        if let uri = ProcessInfo.processInfo.environment[variable], !uri.isEmpty { return uri }
        let folder = FileManager.default.temporaryDirectory.appending(path: "submergence-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try MongoFixtureWatchdog.shared.guardCluster(in: folder.path, script: self.script)
        let process = Process()
        process.executableURL = URL(filePath: self.script)
        // Without the parameter a server takes 15 s to end.
        process.arguments =
            arguments + [
                "--base-port", "0", "--dir", folder.appending(path: "mongo").path,
                "--set", "shutdownTimeoutMillisForSignaledShutdown=0",
            ]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard process.terminationStatus == 0, let uri = lines.last(where: { $0.hasPrefix("mongodb://") }) else {
            throw Failure(description: "mongo-cluster \(arguments.joined(separator: " ")): \(lines.suffix(5))")
        }
        return String(uri)
    }

    /// `scripts/mongo/mongo-cluster` of this checkout.
    static let script: String = {
        var folder = URL(filePath: #filePath)
        while folder.path != "/" {
            let script = folder.appending(path: "scripts/mongo/mongo-cluster")
            if FileManager.default.isExecutableFile(atPath: script.path) { return script.path }
            folder.deleteLastPathComponent()
        }
        return "scripts/mongo/mongo-cluster"
    }()
}

extension Tag {
    /// Needs a MongoDB cluster, which the test process starts itself.
    @Tag static var integration: Self
}
