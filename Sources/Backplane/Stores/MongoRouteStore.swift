package import Logging
import Metrics
import NIOCore
package import Routing
import Wire

/// Route documents in MongoDB: one collection, sharded by the hashed route key (SPEC §2, LC-1 to LC-4).
package final class MongoRouteStore: RouteStore {
    private let access: MongoStoreAccess
    private let shards: ShardMap
    /// One per shard of the map, so that a hung shard takes its own threads only (ND-14).
    private let lanes: [MongoCommands]
    /// For what reads every shard.
    private let general: MongoCommands
    private let logger: Logger
    private let formats: Formats
    private let refusals = DocumentRefusals(collection: "routes", kind: "route")
    private let conflicts = Counter(label: "submergence_store_conflicts_total", dimensions: [("collection", "routes")])

    package init(
        settings: MongoSettings, shards: ShardMap, lanes: [MongoCommands], general: MongoCommands, logger: Logger
    ) {
        precondition(lanes.count == shards.shards.count, "one lane per shard")
        self.access = MongoStoreAccess(database: settings.database, collection: settings.collections.routes)
        self.formats = settings.formats
        self.shards = shards
        self.lanes = lanes
        self.general = general
        self.logger = logger
    }

    package var shardCount: Int { self.lanes.count }
    package var shardNames: [String] { self.shards.shards }

    package func shard(of key: RouteKey) -> Int {
        self.lanes.count == 1 ? 0 : self.shards.shard(ofHash: HashedKey.hash(key.text))
    }

    /// A document that is malformed is logged and counted. It is left out as long as others are found, so that it cannot
    /// take them down with it; asked for alone it is an error.
    package func read(_ keys: [RouteKey], shard: Int) async throws(StoreError) -> [RouteKey: RouteDocument] {
        guard !keys.isEmpty else { return [:] }
        let batch = try await self.access.find("routes.read", through: self.lanes[shard]) { command in
            command.document("filter") { filter in
                filter.document("_id") { condition in
                    condition.array("$in") { list in
                        for key in keys { list.element(key.text) }
                    }
                }
            }
            command.append("batchSize", Int32(clamping: keys.count + 1))
        }
        var routes: [RouteKey: RouteDocument] = [:]
        routes.reserveCapacity(batch.documents.count)
        var failure: StoreError?
        for document in batch.documents {
            do throws(DocumentError) {
                let route = try RouteCodec.decode(document, self.formats)
                routes[route.key] = route
            } catch {
                let key = document["_id"]?.string ?? "?"
                failure = StoreError(.malformed, operation: "routes.read", message: "\(key): \(error.message)")
                self.refusals.count(error)
                self.logger.error("route document refused", metadata: ["key": "\(key)", "reason": "\(error.message)"])
            }
        }
        if let failure, routes.isEmpty { throw failure }
        return routes
    }

    package func write(_ writes: [RouteWrite], shard: Int) async throws(StoreError) -> [RouteWriteOutcome] {
        var outcomes: [RouteWriteOutcome] = []
        outcomes.reserveCapacity(writes.count)
        var failure: StoreError?
        var isAnythingKnown = false
        for command in RouteUpdate.commands(for: writes, self.formats) {
            do throws(StoreError) {
                outcomes += try await self.write(
                    Array(writes[command.range]), command.statements, through: self.lanes[shard])
                isAnythingKnown = true
            } catch {
                outcomes += [RouteWriteOutcome](repeating: .failed(error), count: command.range.count)
                failure = error
            }
        }
        if let failure, !isAnythingKnown { throw failure }
        return outcomes
    }

    private func write(
        _ writes: [RouteWrite], _ statements: [BSONDocument], through lane: MongoCommands
    ) async throws(StoreError) -> [RouteWriteOutcome] {
        let command = BSONWriter.document { command in
            command.append("update", self.access.collection)
            command.array("updates") { array in
                for statement in statements { array.element(statement) }
            }
            command.append("ordered", false)
            command.append("maxTimeMS", MongoStoreAccess.maxTime(lane))
        }
        let reply = try await self.access.write("routes.write", through: lane, command)
        var outcomes = [RouteWriteOutcome](repeating: .committed, count: writes.count)
        for element in reply["writeErrors"]?.array ?? BSONDocument({ _ in }) {
            guard let failure = element.document, let index = failure["index"]?.int, outcomes.indices.contains(index)
            else { continue }
            if MongoStoreAccess.isDuplicate(failure) {
                outcomes[index] = .conflict
                self.conflicts.increment()
            } else {
                outcomes[index] = .failed(
                    MongoStoreAccess.statementFailure(failure, operation: "routes.write"))
            }
        }
        try await self.undoPartial(reply, writes: writes, outcomes: &outcomes, through: lane)
        return outcomes
    }

    /// A document with an expected version that was inserted all the same has vanished since it was read (an operator
    /// deleted it), and what is there now is a part of one: it is taken away again, and the writer reads anew.
    private func undoPartial(
        _ reply: BSONDocument, writes: [RouteWrite], outcomes: inout [RouteWriteOutcome], through lane: MongoCommands
    ) async throws(StoreError) {
        var partial: [RouteWrite] = []
        for element in reply["upserted"]?.array ?? BSONDocument({ _ in }) {
            guard let index = element.document?["index"]?.int, writes.indices.contains(index),
                RouteUpdate.isPartial(writes[index])
            else { continue }
            partial.append(writes[index])
            outcomes[index] = .conflict
        }
        guard !partial.isEmpty else { return }
        self.logger.warning("route documents had vanished", metadata: ["count": "\(partial.count)"])
        let command = BSONWriter.document { command in
            command.append("delete", self.access.collection)
            command.array("deletes") { statements in
                for write in partial {
                    statements.documentElement { statement in
                        statement.document("q") {
                            $0.append("_id", write.new.key.text)
                            $0.append("v", write.new.version)
                        }
                        statement.append("limit", Int32(1))
                    }
                }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(lane))
        }
        _ = try await self.access.write("routes.undo", through: lane, command)
    }

    package func keys(of node: NodeID, limit: Int) async throws(StoreError) -> [RouteKey] {
        try await self.keys("routes.ofNode", limit: limit) { filter in
            filter.array("$or") { either in
                either.documentElement { $0.append("live.n", node.text) }
                either.documentElement { $0.append("out.n", node.text) }
            }
        }
    }

    package func keys(dueBefore deadline: Int64, limit: Int) async throws(StoreError) -> [RouteKey] {
        // Part of an answer is worth having: a shard that is out stalls its own users only (ND-14).
        try await self.keys("routes.due", limit: limit, isPartialAllowed: true) { filter in
            filter.document("due") { $0.append("$lt", BSONDate(milliseconds: deadline)) }
        }
    }

    private func keys(
        _ operation: String, limit: Int, isPartialAllowed: Bool = false, _ filter: (inout BSONWriter) -> Void
    ) async throws(StoreError) -> [RouteKey] {
        let batch = try await self.access.find(
            operation, through: self.general, isPartialAllowed: isPartialAllowed
        ) { command in
            command.document("filter") { filter(&$0) }
            command.document("projection") { $0.append("_id", Int32(1)) }
            command.append("limit", Int64(limit))
            command.append("batchSize", Int32(clamping: limit))
        }
        return batch.documents.compactMap { $0["_id"]?.string.flatMap { RouteKey($0) } }
    }
}
