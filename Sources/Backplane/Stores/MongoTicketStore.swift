package import Logging
import Metrics
package import Routing
import Wire

/// Session tickets in MongoDB: one collection, sharded by the hashed hash of the ticket (SPEC §2, ID-17). The server removes
/// them within about a minute of their end.
package final class MongoTicketStore: TicketStore {
    private let access: MongoStoreAccess
    private let shards: ShardMap
    private let lanes: [MongoCommands]
    private let logger: Logger
    private let formats: Formats
    private let refusals = DocumentRefusals(collection: "tickets", kind: "ticket")

    package init(settings: MongoSettings, shards: ShardMap, lanes: [MongoCommands], logger: Logger) {
        precondition(lanes.count == shards.shards.count, "one lane per shard")
        self.access = MongoStoreAccess(database: settings.database, collection: settings.collections.tickets)
        self.formats = settings.formats
        self.shards = shards
        self.lanes = lanes
        self.logger = logger
    }

    private func lane(of id: [UInt8]) -> MongoCommands {
        self.lanes[self.lanes.count == 1 ? 0 : self.shards.shard(ofHash: HashedKey.hash(id))]
    }

    package func insert(_ ticket: TicketRecord) async throws(StoreError) {
        let lane = self.lane(of: ticket.id)
        let command = BSONWriter.document { command in
            command.append("insert", self.access.collection)
            command.array("documents") { documents in
                documents.documentElement { TicketCodec.write(ticket, self.formats, into: &$0) }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(lane))
        }
        let reply = try await self.access.write("tickets.insert", through: lane, command)
        guard let failure = reply["writeErrors"]?.array?["0"]?.document, !MongoStoreAccess.isDuplicate(failure) else {
            return
        }
        throw MongoStoreAccess.statementFailure(failure, operation: "tickets.insert")
    }

    package func find(_ id: [UInt8]) async throws(StoreError) -> TicketRecord? {
        let batch = try await self.access.find("tickets.read", through: self.lane(of: id)) { command in
            command.append("filter", BSONDocument { $0.append("_id", BSONBinary(id)) })
            command.append("limit", Int32(1))
        }
        guard let document = batch.documents.first else { return nil }
        do throws(DocumentError) {
            return try TicketCodec.decode(document, self.formats)
        } catch {
            self.refusals.count(error)
            self.logger.error("session ticket refused", metadata: ["reason": "\(error.message)"])
            throw StoreError(.malformed, operation: "tickets.read", message: error.message)
        }
    }

    package func use(_ id: [UInt8]) async throws(StoreError) -> Bool {
        let filter = BSONDocument {
            $0.append("_id", BSONBinary(id))
            $0.append("u", false)
        }
        return try await self.access.update("tickets.use", through: self.lane(of: id), filter: filter) { statement in
            statement.document("u") { update in
                update.document("$set") { $0.append("u", true) }
            }
        }.modified == 1
    }
}
