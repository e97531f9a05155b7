import NIOCore
import Synchronization
import Wire

/// Which shard a key of one collection lies on, as far as this node knows (SPEC ND-14).
package final class ShardMap: Sendable {
    /// Names, sorted; fixed for the life of the process, as queues are made per shard. Chunks of a shard that came later
    /// count as the last one's.
    package let shards: [String]
    private let namespace: String
    private let table: Mutex<ChunkTable>

    /// Everything on one shard.
    package init(single shard: String, namespace: String) {
        self.shards = [shard]
        self.namespace = namespace
        self.table = Mutex(.single)
    }

    init(shards: [String], namespace: String, on client: borrowing MongoClient) throws(MongoError) {
        self.shards = shards
        self.namespace = namespace
        self.table = Mutex(try Self.read(namespace, shards: shards, on: client))
    }

    package func shard(ofHash hash: Int64) -> Int { self.table.withLock { $0.shard(of: hash) } }

    /// Reads the chunk table again. Needed after chunks have moved, and only for speed.
    package func refresh(through commands: MongoCommands) async throws(MongoError) {
        guard self.shards.count > 1 else { return }
        let (namespace, shards) = (self.namespace, self.shards)
        let table = try await commands.perform("chunks") { client throws(MongoError) in
            try Self.read(namespace, shards: shards, on: client)
        }
        self.table.withLock { $0 = table }
    }

    private static func read(
        _ namespace: String, shards: [String], on client: borrowing MongoClient
    ) throws(MongoError) -> ChunkTable {
        let find = BSONWriter.document {
            $0.append("find", "collections")
            $0.document("filter") { $0.append("_id", namespace) }
        }
        guard let collection = try client.documents(find, database: "config").first,
            let uuid = collection["uuid"]
        else {
            throw MongoError(.malformedReply, operation: "chunks", message: "\(namespace) is not a sharded collection")
        }
        let chunks = BSONWriter.document {
            $0.append("find", "chunks")
            $0.document("filter") { $0.append("uuid", uuid) }
            $0.document("projection") {
                $0.append("min", Int32(1))
                $0.append("shard", Int32(1))
            }
        }
        let documents = try client.documents(chunks, database: "config")
        guard let table = ChunkTable(chunks: documents, field: "_id", shards: shards) else {
            throw MongoError(.malformedReply, operation: "chunks", message: "\(namespace) has no hashed chunks")
        }
        return table
    }
}
