import NIOCore
import Testing
import Wire

@testable import Backplane

@Suite("Grouping keys by shard (SPEC ND-14)")
struct ShardingTests {
    @Test("MongoDB's hashes, as a server of version 6.0 computed them")
    func knownHashes() {
        #expect(HashedKey.hash("example.org/alice") == 7_719_909_992_707_951_562)
        #expect(HashedKey.hash("b") == 6_130_180_874_346_621_772)
    }

    @Test(
        "MD5 of RFC 1321",
        arguments: [
            ("", "d41d8cd98f00b204"), ("a", "0cc175b9c0f1b6a8"), ("abc", "900150983cd24fb0"),
            ("12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955"),
        ])
    func digest(message: String, prefix: String) {
        let value = UInt64(bitPattern: MD5.prefix(of: Array(message.utf8)).byteSwapped)
        let digits = String(value, radix: 16)
        #expect(String(repeating: "0", count: 16 - digits.count) + digits == prefix)
    }

    private static func chunk(_ bound: Int64?, _ shard: String) -> BSONDocument {
        BSONDocument { chunk in
            chunk.document("min") { min in
                if let bound { min.append("_id", bound) } else { min.append("_id", Self.minKey) }
            }
            chunk.append("shard", shard)
        }
    }

    private static let minKey = MinKey()

    private struct MinKey: BSONScalar {
        static var bsonType: BSONType { .minKey }
        func writeBSON(into buffer: inout ByteBuffer) {}
    }

    @Test("A hash belongs to the last chunk that does not begin above it")
    func lookup() throws {
        let table = try #require(
            ChunkTable(
                chunks: [Self.chunk(0, "b"), Self.chunk(nil, "a"), Self.chunk(100, "a"), Self.chunk(200, "new")],
                field: "_id", shards: ["a", "b"]))
        #expect(table.shard(of: .min) == 0)
        #expect(table.shard(of: -1) == 0)
        #expect(table.shard(of: 0) == 1)
        #expect(table.shard(of: 99) == 1)
        #expect(table.shard(of: 100) == 0)
        #expect(table.shard(of: .max) == 1)
    }

    @Test("Chunks of another kind of key are refused")
    func refusal() {
        #expect(ChunkTable(chunks: [], field: "_id", shards: ["a"]) == nil)
        #expect(ChunkTable(chunks: [Self.chunk(5, "a")], field: "_id", shards: ["a"]) == nil)
        #expect(ChunkTable(chunks: [Self.chunk(nil, "a")], field: "other", shards: ["a"]) == nil)
    }
}
