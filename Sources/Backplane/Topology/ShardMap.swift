import NIOCore
import Wire

/// Which shard a key of one collection lay on when this process started (SPEC ND-14).
///
/// Never read again: the order of one user's writes and sends rests on their all being in one queue, and queues are per shard
/// of this map. Where chunks have moved since, the router still finds every document; only batches may then span shards.
package struct ShardMap: Sendable {
    /// Names, sorted. Chunks of a shard that came later count as the last one's.
    package let shards: [String]
    private let table: ChunkTable

    /// Everything on one shard.
    package init(single shard: String) {
        self.shards = [shard]
        self.table = .single
    }

    init(shards: [String], namespace: String, on client: borrowing MongoClient) throws(MongoError) {
        self.shards = shards
        self.table = try Self.read(namespace, shards: shards, on: client)
    }

    package func shard(ofHash hash: Int64) -> Int { self.table.shard(of: hash) }

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
