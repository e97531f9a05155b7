import NIOCore
import Testing
import Wire

@testable import Backplane

@Suite("Tails", .tags(.integration), .timeLimit(.minutes(2)))
struct MongoTailTests {
    private static func create(_ collection: String) -> ByteBuffer {
        BSONWriter.document {
            $0.append("create", collection)
            $0.append("capped", true)
            $0.append("size", Int64(1 << 20))
        }
    }

    private static func insert(_ numbers: [Int32]) -> ByteBuffer {
        BSONWriter.document { command in
            command.append("insert", "slot0")
            command.array("documents") { documents in
                for number in numbers {
                    documents.documentElement {
                        $0.append("_id", number)
                        $0.append("to", number % 2 == 0 ? "even" : "odd")
                        $0.append("t", BSONTimestamp.empty)
                    }
                }
            }
        }
    }

    @Test("ND-9, ND-10: a change stream shows what matches, and goes on behind the token of a quiet batch")
    func changeStream() throws {
        let pool = try MongoFixture.replicaSet.pool()
        let database = MongoFixture.database()
        let writer = try pool.client()
        _ = try writer.run(Self.create("slot0"), database: database, mode: .writeOnce)
        let match = BSONDocument {
            $0.append("operationType", "insert")
            $0.append("fullDocument.to", "even")
        }
        var tail = try MongoTail.changeStream(
            on: pool.client(), database: database, collection: "slot0", match: match, start: .now)
        let quiet = try tail.next()
        #expect(quiet.documents.isEmpty)
        let token = try #require(quiet.resumeToken)
        _ = try writer.run(Self.insert([1, 2, 3, 4]), database: database, mode: .write)
        var seen: [MongoBatch] = []
        while seen.flatMap(\.documents).count < 2 { seen.append(try tail.next()) }
        let events = seen.flatMap(\.documents)
        #expect(events.map { $0["fullDocument"]?.document?["_id"]?.int } == [2, 4])
        let time = try #require(events.first?["fullDocument"]?.document?["t"]?.timestamp)
        #expect(time > .empty, "the server fills in an empty timestamp (ND-6)")

        var resumed = try MongoTail.changeStream(
            on: pool.client(), database: database, collection: "slot0", match: match, start: .after(token))
        var again: [BSONDocument] = []
        while again.count < 2 { again += try resumed.next().documents }
        #expect(again.map { $0["fullDocument"]?.document?["_id"]?.int } == [2, 4])
    }

    @Test("ND-9: a token that makes no sense is the server's error, not a silent restart")
    func lostToken() throws {
        let pool = try MongoFixture.replicaSet.pool()
        let database = MongoFixture.database()
        _ = try pool.client().run(Self.create("slot0"), database: database, mode: .writeOnce)
        let error = #expect(throws: MongoError.self) {
            _ = try MongoTail.changeStream(
                on: pool.client(), database: database, collection: "slot0", match: nil,
                start: .after(BSONDocument { $0.append("_data", "82") }))
        }
        #expect(error?.serverCode != nil)
    }

    @Test(
        "ND-10: a tailable cursor follows a capped collection, through a router too", arguments: MongoFixture.allCases)
    func tailable(deployment: MongoFixture) throws {
        let pool = try deployment.pool()
        let database = MongoFixture.database()
        let writer = try pool.client()
        _ = try writer.run(Self.create("slot0"), database: database, mode: .writeOnce)
        let filter = BSONDocument { $0.append("to", "even") }
        let empty = try MongoTail.tailable(
            on: pool.client(), database: database, collection: "slot0", filter: filter)
        let isAtEnd = empty.isAtEnd
        #expect(!isAtEnd, "the first batch is still to be read")
        _ = try writer.run(Self.insert([1, 2]), database: database, mode: .write)
        var tail = try MongoTail.tailable(
            on: pool.client(), database: database, collection: "slot0", filter: filter)
        #expect(try tail.next().documents.map { $0["_id"]?.int } == [2])
        #expect(try tail.next().documents.isEmpty)
        _ = try writer.run(Self.insert([3, 4, 5, 6]), database: database, mode: .write)
        var seen: [Int?] = []
        while seen.count < 2 { seen += try tail.next().documents.map { $0["_id"]?.int } }
        #expect(seen == [4, 6])
    }

    @Test("A cursor on an empty capped collection is at its end at once, and says so")
    func emptyCollection() throws {
        let pool = try MongoFixture.replicaSet.pool()
        let database = MongoFixture.database()
        _ = try pool.client().run(Self.create("slot0"), database: database, mode: .writeOnce)
        var tail = try MongoTail.tailable(
            on: pool.client(), database: database, collection: "slot0", filter: BSONDocument { _ in })
        #expect(try tail.next().documents.isEmpty)
        let isAtEnd = tail.isAtEnd
        #expect(isAtEnd)
        let error = #expect(throws: MongoError.self) { try tail.next() }
        #expect(error?.serverCode == MongoError.cursorNotFound)
    }
}
