package import Logging
import Metrics
package import Routing
import Wire

/// Links in MongoDB: one collection, sharded by the hashed link key (SPEC §2, LK-2 to LK-5). The server removes closed ones
/// within about a minute of their end.
package final class MongoLinkStore: LinkStore {
    private let access: MongoStoreAccess
    private let shards: ShardMap
    private let lanes: [MongoCommands]
    /// For what reads every shard.
    private let general: MongoCommands
    private let logger: Logger
    private let formats: Formats
    private let refusals = DocumentRefusals(collection: "links", kind: "link")
    private let conflicts = Counter(label: "submergence_store_conflicts_total", dimensions: [("collection", "links")])

    package init(
        settings: MongoSettings, shards: ShardMap, lanes: [MongoCommands], general: MongoCommands, logger: Logger
    ) {
        precondition(lanes.count == shards.shards.count, "one lane per shard")
        self.access = MongoStoreAccess(database: settings.database, collection: settings.collections.links)
        self.formats = settings.formats
        self.shards = shards
        self.lanes = lanes
        self.general = general
        self.logger = logger
    }

    private func lane(of key: LinkKey) -> MongoCommands {
        self.lanes[self.lanes.count == 1 ? 0 : self.shards.shard(ofHash: HashedKey.hash(key.text))]
    }

    package func find(_ key: LinkKey) async throws(StoreError) -> LinkRecord? {
        try await self.find(key, "links.read", isLinearizable: false)
    }

    package func findLatest(_ key: LinkKey) async throws(StoreError) -> LinkRecord? {
        try await self.find(key, "links.readLatest", isLinearizable: true)
    }

    private func find(
        _ key: LinkKey, _ operation: String, isLinearizable: Bool
    ) async throws(StoreError) -> LinkRecord? {
        let batch = try await self.access.find(operation, through: self.lane(of: key)) { command in
            command.append("filter", BSONDocument { $0.append("_id", key.text) })
            command.append("limit", Int32(1))
            if isLinearizable { command.document("readConcern") { $0.append("level", "linearizable") } }
        }
        return try batch.documents.first.map { document throws(StoreError) in
            try self.decode(document, operation: operation)
        }
    }

    package func write(_ write: LinkWrite) async throws(StoreError) -> Bool {
        let isWritten =
            if let expected = write.expected {
                try await self.replace(expected, with: write.new)
            } else {
                try await self.insert(write.new)
            }
        if !isWritten { self.conflicts.increment() }
        return isWritten
    }

    private func insert(_ record: LinkRecord) async throws(StoreError) -> Bool {
        let lane = self.lane(of: record.key)
        let command = BSONWriter.document { command in
            command.append("insert", self.access.collection)
            command.array("documents") { documents in
                documents.documentElement { LinkCodec.write(record, self.formats, into: &$0) }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(lane))
        }
        let reply = try await self.access.write("links.insert", through: lane, command)
        guard let failure = reply["writeErrors"]?.array?["0"]?.document else { return true }
        if MongoStoreAccess.isDuplicate(failure) { return false }
        throw MongoStoreAccess.statementFailure(failure, operation: "links.insert")
    }

    private func replace(_ expected: LinkWrite.Expected, with record: LinkRecord) async throws(StoreError) -> Bool {
        let filter = BSONDocument {
            $0.append("_id", record.key.text)
            $0.append("token", expected.token.text)
            $0.append("state", expected.state.rawValue)
        }
        // A whole document in place of the old one: no field of it stays behind.
        return try await self.access.update("links.write", through: self.lane(of: record.key), filter: filter) {
            statement in
            statement.document("u") { LinkCodec.writeFields(record, self.formats, into: &$0) }
        }.matched == 1
    }

    package func opening(before deadline: Int64, limit: Int) async throws(StoreError) -> [LinkRecord] {
        // Part of an answer is worth having: a shard that is out stalls its own Links only (ND-14).
        let batch = try await self.access.find("links.opening", through: self.general, isPartialAllowed: true) {
            command in
            command.document("filter") { filter in
                filter.append("state", LinkRecord.State.opening.rawValue)
                filter.document("t") { $0.append("$lt", BSONDate(milliseconds: deadline)) }
            }
            command.append("limit", Int64(limit))
            command.append("batchSize", Int32(clamping: limit))
        }
        return batch.documents.compactMap { try? self.decode($0, operation: "links.opening") }
    }

    /// Logs and counts what it throws.
    private func decode(_ document: BSONDocument, operation: String) throws(StoreError) -> LinkRecord {
        do throws(DocumentError) {
            return try LinkCodec.decode(document, self.formats)
        } catch {
            self.refusals.count(error)
            self.logger.error("link record refused", metadata: ["reason": "\(error.message)"])
            throw StoreError(.malformed, operation: operation, message: error.message)
        }
    }
}
