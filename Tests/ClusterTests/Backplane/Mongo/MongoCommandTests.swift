import NIOCore
import Testing
import Wire

@testable import Backplane

@Suite("MongoDB commands", .tags(.integration), .timeLimit(.minutes(2)))
struct MongoCommandTests {
    private static func insert(_ ids: [String]) -> ByteBuffer {
        BSONWriter.document { command in
            command.append("insert", "things")
            command.array("documents") { documents in
                for id in ids { documents.documentElement { $0.append("_id", id) } }
            }
            command.append("ordered", false)
        }
    }

    private static func find(batchSize: Int32) -> ByteBuffer {
        BSONWriter.document {
            $0.append("find", "things")
            $0.append("batchSize", batchSize)
        }
    }

    @Test("ND-14: a bulk write names its losers by index", arguments: MongoFixture.allCases)
    func losers(deployment: MongoFixture) async throws {
        let commands = MongoCommands(pool: try deployment.pool())
        let database = MongoFixture.database()
        _ = try await commands.run(Self.insert(["b"]), database: database, mode: .write)
        let reply = try await commands.run(Self.insert(["a", "b", "c"]), database: database, mode: .write)
        #expect(reply["n"]?.int == 2)
        let failures = try #require(reply["writeErrors"]?.array?.compactMap { $0.document })
        #expect(failures.map { $0["index"]?.int } == [1])
        #expect(failures.first?["code"]?.int64 == Int64(MongoError.duplicateKey))
        await commands.shutdown()
    }

    @Test("ND-14: writes are majority, journaled, and carry a transaction number")
    func writeForm() async throws {
        let commands = MongoCommands(pool: try MongoFixture.replicaSet.pool())
        let database = MongoFixture.database()
        let profile = BSONWriter.document { $0.append("profile", Int32(2)) }
        _ = try await commands.run(profile, database: database)
        _ = try await commands.run(Self.insert(["a"]), database: database, mode: .write)
        let query = BSONWriter.document {
            $0.append("find", "system.profile")
            $0.document("filter") { $0.append("command.insert", "things") }
        }
        let seen = try await commands.perform("profile") { client throws(MongoError) in
            try client.documents(query, database: database)
        }
        let command = try #require(seen.first?["command"]?.document)
        let concern = try #require(command["writeConcern"]?.document)
        #expect(concern["w"]?.string == "majority")
        #expect(concern["j"]?.bool == true)
        #expect(command["txnNumber"]?.int64 != nil)
        await commands.shutdown()
    }

    @Test("A cursor is read to its end, on one session and one server", arguments: MongoFixture.allCases)
    func cursor(deployment: MongoFixture) async throws {
        let commands = MongoCommands(pool: try deployment.pool())
        let database = MongoFixture.database()
        let ids = (0..<250).map { "k\(1000 + $0)" }
        // As the product does; the stand-in's unordered inserts make no collection.
        let create = BSONWriter.document { $0.append("create", "things") }
        _ = try await commands.run(create, database: database, mode: .writeOnce)
        let inserted = try await commands.run(Self.insert(ids), database: database, mode: .write)
        #expect(inserted["n"]?.int == ids.count, "\(inserted)")
        let documents = try await commands.perform("find") { client throws(MongoError) in
            try client.documents(Self.find(batchSize: 20), database: database)
        }
        #expect(Set(documents.compactMap { $0["_id"]?.string }) == Set(ids))
        await commands.shutdown()
    }

    @Test("The server's refusal comes with its code", arguments: MongoFixture.allCases)
    func refusal(deployment: MongoFixture) async throws {
        let commands = MongoCommands(pool: try deployment.pool())
        let error = await #expect(throws: MongoError.self) {
            try await commands.run(BSONWriter.document { $0.append("noSuchThing", Int32(1)) }, database: "admin")
        }
        #expect(error?.code == .server(MongoError.commandNotFound))
        #expect(error?.operation == "noSuchThing")
        #expect(error?.isTransient == false)
        await commands.shutdown()
    }

    @Test("What is not BSON is refused before it is sent")
    func notBSON() async throws {
        let commands = MongoCommands(pool: try MongoFixture.replicaSet.pool())
        let error = await #expect(throws: MongoError.self) {
            try await commands.run(ByteBuffer(bytes: [9, 0, 0, 0, 1]), database: "admin")
        }
        #expect(error?.code == .refused)
        await commands.shutdown()
    }

    @Test("ND-14: a server that is not there is `unreachable`")
    func nobody() async throws {
        let options = MongoPoolOptions(timeout: .milliseconds(300), size: 1)
        let commands = MongoCommands(pool: try MongoPool(uri: "mongodb://127.0.0.1:1/?replicaSet=x", options: options))
        let error = await #expect(throws: MongoError.self) {
            try await commands.run(
                Self.insert(["a"]), database: "x", mode: .write, deadline: .now() + .seconds(30))
        }
        #expect(error?.code == .unreachable)
        await commands.shutdown()
    }

    @Test("ND-14: a server that hangs after the command was sent leaves an unknown outcome, at the client's deadline")
    func hung() async throws {
        let uri = try MongoFixture.replicaSet.uri
        let direct = try #require(MongoURI.firstHost(of: uri))
        let proxy = try await MongoFreezeProxy(host: direct.host, port: direct.port)
        let options = MongoPoolOptions(timeout: .milliseconds(500), size: 4)
        let pool = try MongoPool(
            uri: "mongodb://127.0.0.1:\(proxy.port)/?directConnection=true", options: options)
        let commands = MongoCommands(pool: pool, threads: 1)
        let database = MongoFixture.database()
        _ = try await commands.run(
            Self.insert(["a"]), database: database, mode: .write, deadline: .now() + .seconds(30))
        proxy.freeze()
        // One takes the only thread; the other waits for it and is never sent.
        async let first = Self.failure(of: commands, database: database, deadline: .now() + .milliseconds(400))
        async let second = Self.failure(of: commands, database: database, deadline: .now() + .milliseconds(100))
        let codes = await [first?.code, second?.code]
        #expect(codes.contains(.unknownOutcome))
        #expect(codes.contains(.unreachable))
        await commands.shutdown()
        try await proxy.close()
    }

    private static func failure(
        of commands: MongoCommands, database: String, deadline: NIODeadline
    ) async -> MongoError? {
        do throws(MongoError) {
            _ = try await commands.run(self.insert(["b"]), database: database, mode: .write, deadline: deadline)
            return nil
        } catch {
            return error
        }
    }

    @Test("ND-14: a full queue refuses at once")
    func fullQueue() async throws {
        let pool = try MongoFixture.replicaSet.pool()
        let commands = MongoCommands(pool: pool, threads: 1, queueLimit: 0)
        let error = await #expect(throws: MongoError.self) {
            try await commands.run(Self.insert(["a"]), database: "x", mode: .write)
        }
        #expect(error?.code == .unreachable)
        await commands.shutdown()
    }
}

extension MongoURI {
    fileprivate static func firstHost(of uri: String) -> (host: String, port: Int)? {
        let authority = uri.dropFirst("mongodb://".count).prefix { $0 != "/" && $0 != "," }
        let parts = authority.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else { return nil }
        return (String(parts[0]), port)
    }
}
