import Logging
import Routing
import Wire

/// A collection whose documents have hashes as ids, and that is sharded by the hash of these: what its stores have in common.
struct HashedCollection: Sendable {
    let access: MongoStoreAccess
    let formats: Formats
    private let shards: ShardMap
    private let lanes: [MongoCommands]
    private let logger: Logger
    private let kind: String
    private let refusals: DocumentRefusals

    /// - Parameters:
    ///   - collection: as MongoDB has it.
    ///   - name: the same in metrics.
    ///   - kind: what one document is, in metrics and logs.
    ///   - lanes: one per shard.
    init(
        _ collection: String, name: String, kind: String, settings: MongoSettings, shards: ShardMap,
        lanes: [MongoCommands], logger: Logger
    ) {
        precondition(lanes.count == shards.shards.count, "one lane per shard")
        self.access = MongoStoreAccess(database: settings.database, collection: collection)
        self.formats = settings.formats
        self.shards = shards
        self.lanes = lanes
        self.logger = logger
        self.kind = kind
        self.refusals = DocumentRefusals(collection: name, kind: kind)
    }

    func lane(of id: [UInt8]) -> MongoCommands {
        self.lanes[self.lanes.count == 1 ? 0 : self.shards.shard(ofHash: HashedKey.hash(id))]
    }

    /// - Returns: false where there is one of this id.
    func insert(
        _ operation: String, _ id: [UInt8], _ write: (inout BSONWriter) -> Void
    ) async throws(StoreError) -> Bool {
        let lane = self.lane(of: id)
        let command = BSONWriter.document { command in
            command.append("insert", self.access.collection)
            command.array("documents") { documents in documents.documentElement(write) }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(lane))
        }
        let reply = try await self.access.write(operation, through: lane, command)
        guard let failure = reply["writeErrors"]?.array?["0"]?.document else { return true }
        guard MongoStoreAccess.isDuplicate(failure) else {
            throw MongoStoreAccess.statementFailure(failure, operation: operation)
        }
        return false
    }

    func find<Record>(
        _ operation: String, _ id: [UInt8], _ decode: (BSONDocument, Formats) throws(DocumentError) -> Record
    ) async throws(StoreError) -> Record? {
        let batch = try await self.access.find(operation, through: self.lane(of: id)) { command in
            command.append("filter", BSONDocument { $0.append("_id", BSONBinary(id)) })
            command.append("limit", Int32(1))
        }
        guard let document = batch.documents.first else { return nil }
        do throws(DocumentError) {
            return try decode(document, self.formats)
        } catch {
            self.refusals.count(error)
            self.logger.error(
                "stored document refused", metadata: ["kind": "\(self.kind)", "reason": "\(error.message)"])
            throw StoreError(.malformed, operation: operation, message: error.message)
        }
    }

    /// - Parameter more: of the filter, beside the id.
    func update(
        _ operation: String, _ id: [UInt8], where more: (inout BSONWriter) -> Void,
        change: (inout BSONWriter) -> Void
    ) async throws(StoreError) -> (matched: Int, modified: Int) {
        let filter = BSONDocument {
            $0.append("_id", BSONBinary(id))
            more(&$0)
        }
        return try await self.access.update(operation, through: self.lane(of: id), filter: filter) { statement in
            statement.document("u", change)
        }
    }
}
