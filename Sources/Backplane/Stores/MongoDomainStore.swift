package import Logging
import Metrics
package import Routing
import Wire

/// Configurations of domains in MongoDB: one small collection, sharded by the hashed domain (SPEC RM-4). They are asked
/// for so seldom that they need no lanes.
package final class MongoDomainStore: DomainStore {
    private let access: MongoStoreAccess
    private let commands: MongoCommands
    private let logger: Logger
    private let formats: Formats
    private let refusals = DocumentRefusals(collection: "domains", kind: "domain")

    package init(settings: MongoSettings, commands: MongoCommands, logger: Logger) {
        self.access = MongoStoreAccess(database: settings.database, collection: settings.collections.domains)
        self.formats = settings.formats
        self.commands = commands
        self.logger = logger
    }

    package func find(_ domain: String) async throws(StoreError) -> DomainRecord? {
        let batch = try await self.access.find("domains.read", through: self.commands) { command in
            command.append("filter", BSONDocument { $0.append("_id", domain) })
            command.append("limit", Int32(1))
            command.document("readConcern") { $0.append("level", "majority") }
        }
        guard let document = batch.documents.first else { return nil }
        return try self.read("domains.read") { () throws(DocumentError) in
            try DomainCodec.decode(document, self.formats)
        }
    }

    package func versions(of domains: [String]) async throws(StoreError) -> [String: Int64] {
        let batch = try await self.access.find("domains.versions", through: self.commands) { command in
            command.document("filter") { filter in
                filter.document("_id") { condition in
                    condition.array("$in") { names in
                        for domain in domains { names.element(domain) }
                    }
                }
            }
            command.document("projection") { $0.append("v", Int32(1)) }
            command.document("readConcern") { $0.append("level", "majority") }
        }
        var versions: [String: Int64] = [:]
        for document in batch.documents {
            guard let domain = document["_id"]?.string else { continue }
            versions[domain] = try self.read("domains.versions") { () throws(DocumentError) in
                try DomainCodec.version(of: document)
            }
        }
        return versions
    }

    package func replace(by record: DomainRecord) async throws(StoreError) -> Int64? {
        guard record.version > 1 else { return try await self.insert(record) }
        let filter = BSONDocument {
            $0.append("_id", record.domain)
            $0.append("v", record.version - 1)
        }
        let matched = try await self.access.update("domains.replace", through: self.commands, filter: filter) {
            statement in
            statement.document("u") { update in
                update.document("$set") { DomainCodec.writeRest(of: record, self.formats, into: &$0) }
            }
        }.matched
        if matched == 1 { return nil }
        return try await self.find(record.domain)?.version ?? 0
    }

    private func insert(_ record: DomainRecord) async throws(StoreError) -> Int64? {
        let command = BSONWriter.document { command in
            command.append("insert", self.access.collection)
            command.array("documents") { documents in
                documents.documentElement { DomainCodec.write(record, self.formats, into: &$0) }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(self.commands))
        }
        let reply = try await self.access.write("domains.insert", through: self.commands, command)
        guard let failure = reply["writeErrors"]?.array?["0"]?.document else { return nil }
        guard MongoStoreAccess.isDuplicate(failure) else {
            throw MongoStoreAccess.statementFailure(failure, operation: "domains.insert")
        }
        return try await self.find(record.domain)?.version ?? 0
    }

    private func read<Value>(
        _ operation: String, _ body: () throws(DocumentError) -> Value
    ) throws(StoreError) -> Value {
        do throws(DocumentError) {
            return try body()
        } catch {
            self.refusals.count(error)
            self.logger.error("configuration of a domain refused", metadata: ["reason": "\(error.message)"])
            throw StoreError(.malformed, operation: operation, message: error.message)
        }
    }
}
