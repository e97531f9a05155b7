package import Logging
import Metrics
package import Routing
import Wire

/// Session records in MongoDB: one collection, sharded by the hashed hash of the secret (SPEC §2, §3).
package final class MongoSessionStore: SessionStore {
    private let access: MongoStoreAccess
    private let shards: ShardMap
    private let lanes: [MongoCommands]
    private let general: MongoCommands
    private let logger: Logger
    private let formats: Formats
    private let refusals = DocumentRefusals(collection: "sessions", kind: "session")

    package init(
        settings: MongoSettings, shards: ShardMap, lanes: [MongoCommands], general: MongoCommands, logger: Logger
    ) {
        precondition(lanes.count == shards.shards.count, "one lane per shard")
        self.access = MongoStoreAccess(database: settings.database, collection: settings.collections.sessions)
        self.formats = settings.formats
        self.shards = shards
        self.lanes = lanes
        self.general = general
        self.logger = logger
    }

    private func shard(of hash: [UInt8]) -> Int {
        self.lanes.count == 1 ? 0 : self.shards.shard(ofHash: HashedKey.hash(hash))
    }

    private func lane(of hash: [UInt8]) -> MongoCommands { self.lanes[self.shard(of: hash)] }

    private static func identity(_ hash: [UInt8]) -> BSONDocument {
        BSONDocument { $0.append("_id", BSONBinary(hash)) }
    }

    package func find(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord? {
        let batch = try await self.access.find("sessions.read", through: self.lane(of: hash)) { command in
            command.append("filter", Self.identity(hash))
            command.append("limit", Int32(1))
        }
        return try batch.documents.first.map { document throws(StoreError) in
            try self.decode(document, operation: "sessions.read")
        }
    }

    /// Linearizable: a primary that was deposed and does not know it cannot answer.
    package func findLatest(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord? {
        let batch = try await self.access.find("sessions.readLatest", through: self.lane(of: hash)) { command in
            command.append("filter", Self.identity(hash))
            command.append("limit", Int32(1))
            command.document("readConcern") { $0.append("level", "linearizable") }
        }
        return try batch.documents.first.map { document throws(StoreError) in
            try self.decode(document, operation: "sessions.readLatest")
        }
    }

    /// Malformed records are logged, counted and left out.
    package func find(_ hashes: [[UInt8]]) async throws(StoreError) -> [SessionRecord] {
        var records: [SessionRecord] = []
        for (shard, group) in Dictionary(grouping: Set(hashes), by: { self.shard(of: $0) }) {
            for start in stride(from: 0, to: group.count, by: 1_000) {
                let part = group[start..<min(start + 1_000, group.count)]
                let batch = try await self.access.find("sessions.readMany", through: self.lanes[shard]) { command in
                    command.document("filter") { filter in
                        filter.document("_id") { condition in
                            condition.array("$in") { list in
                                for hash in part { list.element(BSONBinary(hash)) }
                            }
                        }
                    }
                    command.append("batchSize", Int32(part.count + 1))
                }
                for document in batch.documents {
                    if let record = try? self.decode(document, operation: "sessions.readMany") {
                        records.append(record)
                    }
                }
            }
        }
        return records
    }

    /// Logs and counts what it throws.
    private func decode(_ document: BSONDocument, operation: String) throws(StoreError) -> SessionRecord {
        do throws(DocumentError) {
            return try SessionCodec.decode(document, self.formats)
        } catch {
            self.refusals.count(error)
            self.logger.error("session record refused", metadata: ["reason": "\(error.message)"])
            throw StoreError(.malformed, operation: operation, message: error.message)
        }
    }

    package func insert(_ record: SessionRecord) async throws(StoreError) {
        let lane = self.lane(of: record.hash)
        let command = BSONWriter.document { command in
            command.append("insert", self.access.collection)
            command.array("documents") { documents in
                documents.documentElement { SessionCodec.write(record, self.formats, into: &$0) }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(lane))
        }
        let reply = try await self.access.write("sessions.insert", through: lane, command)
        guard let failure = reply["writeErrors"]?.array?["0"]?.document, !MongoStoreAccess.isDuplicate(failure) else {
            return
        }
        throw MongoStoreAccess.statementFailure(failure, operation: "sessions.insert")
    }

    package func invalidate(_ hash: [UInt8], reason: String) async throws(StoreError) {
        let filter = BSONDocument {
            $0.append("_id", BSONBinary(hash))
            $0.append("v", true)
        }
        _ = try await self.access.update(
            "sessions.invalidate", through: self.lane(of: hash), filter: filter
        ) { Self.writeInvalidation(reason: reason, into: &$0) }
    }

    package func invalidateAll(
        domain: String, user: String, client: String?, reason: String
    ) async throws(StoreError) -> Int {
        let filter = BSONDocument {
            $0.append("D", domain)
            $0.append("U", user)
            $0.append("C", ifPresent: client)
            $0.append("v", true)
        }
        return try await self.access.update(
            "sessions.invalidateAll", through: self.general, multi: true, filter: filter
        ) { Self.writeInvalidation(reason: reason, into: &$0) }.modified
    }

    package func invalidateChain(
        _ chain: [UInt8], domain: String, user: String, client: String, reason: String
    ) async throws(StoreError) -> Int {
        let filter = BSONDocument {
            $0.append("D", domain)
            $0.append("U", user)
            $0.append("C", client)
            $0.append("f", BSONBinary(chain))
            $0.append("v", true)
        }
        return try await self.access.update(
            "sessions.invalidateChain", through: self.general, multi: true, filter: filter
        ) { Self.writeInvalidation(reason: reason, into: &$0) }.modified
    }

    private static func writeInvalidation(reason: String, into statement: inout BSONWriter) {
        statement.document("u") { update in
            update.document("$set") { set in
                set.append("v", false)
                set.append("z", reason)
            }
        }
    }

    package func touch(_ hash: [UInt8], activity: Int64) async throws(StoreError) {
        _ = try await self.access.update(
            "sessions.touch", through: self.lane(of: hash), filter: Self.identity(hash)
        ) { statement in
            statement.document("u") { update in
                update.document("$max") { $0.append("a", BSONDate(milliseconds: activity)) }
            }
        }
    }

    /// One command: nonce and key are set where there is none and the record is valid, and the record comes back in any case.
    package func beginRenewal(
        _ hash: [UInt8], _ renewal: SessionRecord.Renewal
    ) async throws(StoreError) -> SessionRecord? {
        let document = try await self.access.findAndModify(
            "sessions.renew", through: self.lane(of: hash), filter: Self.identity(hash)
        ) { command in
            command.array("update") { stages in
                stages.documentElement { stage in
                    stage.document("$set") { $0.document("s") { Self.writeRenewal(renewal.stored, into: &$0) } }
                }
            }
        }
        return try document.map { document throws(StoreError) in
            try self.decode(document, operation: "sessions.renew")
        }
    }

    private static func writeRenewal(_ stored: [UInt8], into expression: inout BSONWriter) {
        expression.array("$cond") { condition in
            condition.documentElement { test in
                test.array("$and") { tests in
                    tests.element("$v")
                    tests.documentElement { comparison in
                        comparison.array("$eq") { sides in
                            sides.documentElement { $0.append("$type", "$s") }
                            sides.element("missing")
                        }
                    }
                }
            }
            condition.element(BSONBinary(stored))
            condition.element("$s")
        }
    }

    package func noteSuccessorPresented(
        _ hash: [UInt8], successor: [UInt8], at now: Int64
    ) async throws(StoreError) {
        let filter = BSONDocument {
            $0.append("_id", BSONBinary(hash))
            $0.document("sc") { $0.append("$exists", false) }
        }
        _ = try await self.access.update(
            "sessions.successor", through: self.lane(of: hash), filter: filter
        ) { statement in
            statement.document("u") { update in
                update.document("$set") { set in
                    set.append("sc", BSONDate(milliseconds: now))
                    set.append("n", BSONBinary(successor))
                }
            }
        }
    }
}
