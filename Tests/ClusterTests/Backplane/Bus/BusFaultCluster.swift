import Foundation
import NIOPosix

/// A cluster of a test's own, to be paused, deposed and robbed of its cursors; ended with the test process.
struct BusFaultCluster: Sendable {
    let uri: String
    private let folder: String

    /// One set of three members.
    static let replicaSet = Result { try BusFaultCluster(["replset", "--replicas", "3"]) }
    /// Two shards of one member each.
    static let sharded = Result { try BusFaultCluster(["up", "--shards", "2", "--replicas", "1"]) }

    private init(_ arguments: [String]) throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "submergence-bus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        try MongoFixtureWatchdog.shared.guardCluster(in: root.path, script: MongoFixture.script)
        let folder = root.appending(path: "mongo").path
        let lines = try Self.run(arguments + ["--base-port", "0", "--dir", folder])
        guard let uri = lines.last(where: { $0.hasPrefix("mongodb://") }) else {
            throw MongoFixture.Failure(description: "no URI: \(lines)")
        }
        self.uri = uri
        self.folder = folder
    }

    /// A fault, e.g. `pause-shard 1`. Blocks a thread of the pool until it has happened.
    func fault(_ arguments: String...) async throws {
        let words = arguments + ["--dir", self.folder]
        try await NIOThreadPool.singleton.runIfActive { _ = try Self.run(words) }
    }

    private static func run(_ arguments: [String]) throws -> [String] {
        let process = Process()
        process.executableURL = URL(filePath: MongoFixture.script)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw MongoFixture.Failure(description: "mongo-cluster \(arguments.joined(separator: " ")) failed")
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
