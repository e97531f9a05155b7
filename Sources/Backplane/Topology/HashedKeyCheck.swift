import Wire

/// Whether this server hashes as ``HashedKey`` does.
enum HashedKeyCheck {
    private static let texts = [
        "a", "example.org/alice", "example.org/Ålesund", "xn--d1acufc.example/用户", String(repeating: "x", count: 200),
    ]
    private static let binaries: [[UInt8]] = [[], Array(0..<32), Array(repeating: 255, count: 32)]

    /// Asks the server for the hashes of some samples.
    static func agrees(on client: borrowing MongoClient) throws(MongoError) -> Bool {
        let command = BSONWriter.document { command in
            command.append("aggregate", Int32(1))
            command.array("pipeline") { stages in
                stages.documentElement { stage in
                    stage.array("$documents") { samples in
                        for text in Self.texts { samples.documentElement { $0.append("k", text) } }
                        for binary in Self.binaries { samples.documentElement { $0.append("k", BSONBinary(binary)) } }
                    }
                }
                stages.documentElement { stage in
                    stage.document("$project") { $0.document("h") { $0.append("$toHashedIndexKey", "$k") } }
                }
            }
            command.document("cursor") { _ in }
        }
        let hashes = try client.documents(command, database: "admin").map { $0["h"]?.int64 }
        return hashes == Self.texts.map { HashedKey.hash($0) } + Self.binaries.map { HashedKey.hash($0) }
    }
}
