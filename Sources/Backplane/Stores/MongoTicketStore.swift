package import Logging
package import Routing
import Wire

/// Session tickets in MongoDB: one collection, sharded by the hashed hash of the ticket (SPEC §2, ID-17). The server removes
/// them within about a minute of their end.
package final class MongoTicketStore: TicketStore {
    private let tickets: HashedCollection

    package init(settings: MongoSettings, shards: ShardMap, lanes: [MongoCommands], logger: Logger) {
        self.tickets = HashedCollection(
            settings.collections.tickets, name: "tickets", kind: "ticket", settings: settings, shards: shards,
            lanes: lanes, logger: logger)
    }

    package func insert(_ ticket: TicketRecord) async throws(StoreError) {
        // One of this id is itself, written by an attempt that the driver has repeated.
        _ = try await self.tickets.insert("tickets.insert", ticket.id) {
            TicketCodec.write(ticket, self.tickets.formats, into: &$0)
        }
    }

    package func find(_ id: [UInt8]) async throws(StoreError) -> TicketRecord? {
        try await self.tickets.find("tickets.read", id, TicketCodec.decode)
    }

    package func use(_ id: [UInt8]) async throws(StoreError) -> Bool {
        try await self.tickets.update("tickets.use", id, where: { $0.append("u", false) }) { update in
            update.document("$set") { $0.append("u", true) }
        }.modified == 1
    }
}
