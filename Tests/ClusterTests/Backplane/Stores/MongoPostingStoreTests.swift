import Logging
import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

/// The outbox on a replica set, and on two shards behind a router (docs/outbox.md).
@Suite("Outbox on MongoDB", .tags(.integration), .serialized, .timeLimit(.minutes(5)))
struct MongoPostingStoreTests {
    private static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// Runs `body` with a store on a database of its own.
    private func run(
        _ fixture: MongoFixture, keep: Int = 60,
        _ body: (MongoPostingStore, MongoCluster) async throws -> Void
    ) async throws {
        var settings = MongoSettings(uri: try fixture.uri, database: MongoFixture.database())
        settings.slots = 1
        settings.slotSize = 1 << 20
        let cluster = try await MongoCluster.open(settings, logger: Self.quiet)
        let store = try MongoPostingStore(settings: settings, keepSeconds: keep, logger: Self.quiet)
        try await body(store, cluster)
        await store.shutdown()
        await cluster.shutdown()
    }

    private func insert(_ cluster: MongoCluster, _ ids: ClosedRange<Int32>, user: (Int32) -> String) async throws {
        let command = BSONWriter.document { command in
            command.append("insert", cluster.settings.collections.outbox)
            command.array("documents") { documents in
                for id in ids {
                    documents.documentElement { document in
                        document.append("_id", id)
                        document.append("user", user(id))
                        document.append("event", "e")
                    }
                }
            }
        }
        let reply = try await cluster.commands.run(command, database: cluster.settings.database)
        #expect(reply["n"]?.int == ids.count)
    }

    private func find(_ id: PostingID, _ cluster: MongoCluster) async throws -> BSONDocument? {
        let command = BSONWriter.document { command in
            command.append("find", cluster.settings.collections.outbox)
            command.append("filter", id.document)
        }
        let database = cluster.settings.database
        return try await cluster.commands.perform("find") { client throws(MongoError) in
            try client.documents(command, database: database)
        }.first
    }

    private let stream = RecoveryStream(sender: 99, kind: .identity)

    private func number(_ counter: Int64) -> PostingNumber {
        PostingNumber(stream: self.stream, generation: 1, counter: counter)
    }

    @Test(
        "New documents come in the order of their ids, lane by lane as they are counted here",
        arguments: MongoFixture.allCases)
    func reading(fixture: MongoFixture) async throws {
        try await self.run(fixture) { store, cluster in
            try await self.insert(cluster, 1...40) { "user\($0 % 10)" }
            let all = Array(0..<PostingLaneRecord.count)
            let ids = try await store.new(lanes: all, limit: 100, except: []).map { $0.id.element?.int }
            #expect(ids == Array(1...40))
            #expect(
                try await store.new(lanes: all, limit: 3, except: ["user1", "user2"]).map { $0.id.element?.int } == [
                    3, 4, 5,
                ])
            var found = 0
            for lane in all {
                for reading in try await store.new(lanes: [lane], limit: 100, except: []) {
                    guard case .posting(let posting) = reading else { continue }
                    #expect(MongoPostingStore.lane(of: posting.user) == lane)
                    found += 1
                }
            }
            #expect(found == 40)
            let backlog = try await store.backlog()
            #expect(backlog == PostingBacklog(count: 40, oldest: nil))
        }
    }

    @Test("A number is given once, whoever asks for it; what is gone is told", arguments: MongoFixture.allCases)
    func assigning(fixture: MongoFixture) async throws {
        try await self.run(fixture) { store, cluster in
            try await self.insert(cluster, 1...3) { "user\($0)" }
            let ids = try await store.new(lanes: Array(0..<16), limit: 10, except: []).map(\.id)
            let first = ids.prefix(2).enumerated().map { PostingAssignment(id: $1, number: self.number(Int64($0 + 1))) }
            #expect(try await store.assign(first).confirmed == Set(ids.prefix(2)))
            // Repeated, it is as it was; and nobody else gets one.
            #expect(try await store.assign(first).confirmed == Set(ids.prefix(2)))
            let other = ids.enumerated().map { PostingAssignment(id: $1, number: self.number(Int64($0 + 10))) }
            #expect(try await store.assign(other).confirmed == [ids[2]])
            let missing = try #require(PostingID(of: BSONDocument { $0.append("_id", "missing") }))
            let answer = try await store.assign([PostingAssignment(id: missing, number: self.number(20))])
            #expect(answer.confirmed.isEmpty && answer.gone == [missing])

            let begun = try await store.begun(lanes: Array(0..<16))
            #expect(Set(begun.map(\.id)) == Set(ids))
            let stray = PostingAssignment(id: ids[0], number: self.number(30), replacing: self.number(1))
            #expect(try await store.assign([stray]).confirmed == [ids[0]])
            #expect(try await store.new(lanes: Array(0..<16), limit: 10, except: []).isEmpty)
        }
    }

    @Test(
        "The end is written once and only by who has the number, with receipt or error",
        arguments: MongoFixture.allCases)
    func settling(fixture: MongoFixture) async throws {
        try await self.run(fixture) { store, cluster in
            try await self.insert(cluster, 1...3) { "user\($0)" }
            let ids = try await store.new(lanes: Array(0..<16), limit: 10, except: []).map(\.id)
            _ = try await store.assign([PostingAssignment(id: ids[0], number: self.number(1))])
            func delivered(_ id: PostingID, _ number: PostingNumber) -> PostingSettlement {
                PostingSettlement(
                    id: id, number: number,
                    result: .delivered(
                        receipt: BSONDocument { $0.append("outcome", "sent") }, isComplete: true, attempts: 2))
            }
            let refused = PostingSettlement(
                id: ids[1], number: nil, result: .refused(PostingRefusal(.event, "no name")))
            let foreign = delivered(ids[2], self.number(9))
            #expect(try await store.settle([delivered(ids[0], self.number(1)), refused, foreign], now: 1_000).isEmpty)
            let first = try #require(try await self.find(ids[0], cluster))
            #expect(first["state"]?.string == "delivered" && first["expires"]?.date == 61_000)
            #expect(first["receipt"]?.document?["outcome"]?.string == "sent")
            #expect(first["receipt"]?.document?["attempts"]?.int == 2)
            let second = try #require(try await self.find(ids[1], cluster))
            #expect(second["state"]?.string == "refused" && second["error"]?.document?["code"]?.string == "EVENT")
            // Kept for a day at least, whatever becomes of the others.
            #expect(second["expires"]?.date == 86_401_000)
            #expect(try await self.find(ids[2], cluster)?["state"] == nil)
            #expect(try await store.backlog().count == 1)
        }
    }

    @Test("What is not to be kept is removed", arguments: MongoFixture.allCases)
    func removing(fixture: MongoFixture) async throws {
        try await self.run(fixture, keep: 0) { store, cluster in
            try await self.insert(cluster, 1...1) { "user\($0)" }
            let id = try #require(try await store.new(lanes: Array(0..<16), limit: 10, except: []).first?.id)
            _ = try await store.assign([PostingAssignment(id: id, number: self.number(1))])
            let end = PostingSettlement.Result.delivered(receipt: BSONDocument { _ in }, isComplete: true, attempts: 1)
            _ = try await store.settle([PostingSettlement(id: id, number: self.number(2), result: end)], now: 1)
            #expect(try await self.find(id, cluster) != nil)
            _ = try await store.settle([PostingSettlement(id: id, number: self.number(1), result: end)], now: 1)
            #expect(try await self.find(id, cluster) == nil)
        }
    }

    @Test("A lane is taken, asked for and given by one at a time", arguments: MongoFixture.allCases)
    func lanes(fixture: MongoFixture) async throws {
        try await self.run(fixture) { store, _ in
            let made = try await store.lanes()
            #expect(made.map(\.lane) == Array(0..<16) && made.allSatisfy { $0.holder == nil && $0.generation == 0 })
            #expect(Set(made.map(\.stream)).count == 16)
            #expect(try await store.lanes() == made)
            let (own, other) = (NodeID.random(), NodeID.random())
            let taken = try #require(try await store.change(.take(made[3]), by: own))
            #expect(taken.holder == own && taken.generation == 1)
            #expect(try await store.change(.take(made[3]), by: other) == nil)
            let asked = try #require(try await store.change(.ask(taken), by: other))
            #expect(asked.asker == other && asked.holder == own)
            let given = try #require(try await store.change(.give(asked), by: own))
            #expect(given.holder == nil && given.asker == other)
            let last = try #require(try await store.change(.take(given), by: other))
            #expect(last.holder == other && last.asker == nil && last.generation == 2)
            #expect(try await store.lanes()[3] == last)
        }
    }
}
