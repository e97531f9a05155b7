package import Logging
import Metrics
import NIOCore
package import Routing
import Synchronization
import Wire

/// The records of all nodes in MongoDB (SPEC ND-2 to ND-5). Every change is one atomic update with its whole condition in
/// the filter.
package final class MongoNodeRegistry: NodeRegistry {
    private let access: MongoStoreAccess
    private let commands: MongoCommands
    /// On a pool of their own, with the shorter deadline (ND-14).
    private let renewals: MongoCommands
    private let shards: ShardMap
    /// One per shard of the map.
    private let lanes: [MongoCommands]
    private let state = Mutex(State())
    private let logger: Logger
    private let formats: Formats
    private let refusals = DocumentRefusals(collection: "nodes", kind: "node")

    private struct State {
        /// Nodes of the newest readings: what can be asked for shard by shard.
        var known: Set<NodeID> = []
        /// Whether the newest reading of the whole collection succeeded.
        var isWholeReadable = true
    }

    package init(
        settings: MongoSettings, shards: ShardMap, lanes: [MongoCommands], commands: MongoCommands,
        renewals: MongoCommands, logger: Logger
    ) {
        precondition(lanes.count == shards.shards.count, "one lane per shard")
        self.access = MongoStoreAccess(database: settings.database, collection: settings.collections.nodes)
        self.formats = settings.formats
        self.commands = commands
        self.renewals = renewals
        self.shards = shards
        self.lanes = lanes
        self.logger = logger
    }

    private static func identity(_ id: NodeID) -> BSONDocument { BSONDocument { $0.append("_id", id.text) } }

    private static func states(_ states: [NodeRecord.State], into filter: inout BSONWriter) {
        filter.document("st") { condition in
            condition.array("$in") { list in
                for state in states { list.element(Int32(state.rawValue)) }
            }
        }
    }

    /// A record of this ID that has moved on meanwhile (claimed, superseded) stays: the next renewal tells.
    package func register(_ record: NodeRecord) async throws(StoreError) {
        let command = BSONWriter.document { command in
            command.append("update", self.access.collection)
            command.array("updates") { statements in
                statements.documentElement { statement in
                    statement.document("q") {
                        $0.append("_id", record.id.text)
                        $0.append("st", Int32(NodeRecord.State.up.rawValue))
                    }
                    statement.document("u") { NodeCodec.write(record, self.formats, into: &$0) }
                    statement.append("upsert", true)
                }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(self.commands))
        }
        let reply = try await self.access.write("nodes.register", through: self.commands, command)
        guard let failure = reply["writeErrors"]?.array?["0"]?.document, !MongoStoreAccess.isDuplicate(failure) else {
            return
        }
        throw MongoStoreAccess.statementFailure(failure, operation: "nodes.register")
    }

    /// The time is the clock of the shard's primary, which it writes into the record itself: it is the one clock that does
    /// not depend on which router was asked, and it has milliseconds, which a cluster time has not.
    package func renew(_ id: NodeID, beat: Int64, intake: Int?) async throws(StoreError) -> Renewal {
        let filter = BSONDocument { filter in
            filter.append("_id", id.text)
            Self.states([.up, .draining], into: &filter)
        }
        let renewed = try await self.access.findAndModify("nodes.renew", through: self.renewals, filter: filter) {
            $0.document("update") { update in
                update.document("$max") { $0.append("b", beat) }
                if let intake { update.document("$set") { $0.append("in", Int32(clamping: intake)) } }
                update.document("$currentDate") { $0.append("now", true) }
            }
        }
        if let renewed { return Renewal(standing: .renewed, serverTime: renewed["now"]?.date ?? 0) }
        let batch = try await self.access.find("nodes.standing", through: self.renewals) {
            $0.append("filter", Self.identity(id))
        }
        let state = batch.documents.first?["st"]?.int64
        let time = batch.operationTime.map { Int64($0.seconds) * 1000 } ?? 0
        let isSuperseded = state == Int64(NodeRecord.State.superseded.rawValue)
        return Renewal(standing: isSuperseded ? .superseded : .lost, serverTime: time)
    }

    /// One read of the whole collection, which fails as a whole when one shard hangs. Then the nodes that are known already
    /// are read shard by shard, and the reading is incomplete; a new node is found by its ID (ND-2).
    package func list() async throws(StoreError) -> DirectoryReading {
        guard self.lanes.count > 1 else { return try await self.whole().get() }
        let whole: Result<DirectoryReading, StoreError>
        let parts: DirectoryReading?
        if self.state.withLock({ $0.isWholeReadable }) {
            whole = await self.whole()
            if case .failure(let error) = whole, error.code != .rejected {
                parts = await self.parts()
            } else {
                parts = nil
            }
        } else {
            // Not one after the other: the directory is read every 2 s.
            async let both = self.whole()
            parts = await self.parts()
            whole = await both
        }
        switch whole {
        case .success(let reading):
            self.state.withLock { state in
                if reading.isComplete { state.known = [] }
                state.known.formUnion(reading.records.map(\.id))
                state.isWholeReadable = true
            }
            return reading
        case .failure(let error):
            self.state.withLock { $0.isWholeReadable = false }
            guard let parts else { throw error }
            return parts
        }
    }

    private func whole() async -> Result<DirectoryReading, StoreError> {
        do throws(StoreError) {
            let batch = try await self.access.find("nodes.list", through: self.commands, isPartialAllowed: true) {
                $0.document("filter") { _ in }
                $0.append("batchSize", Int32(10_000))
            }
            return .success(self.reading(batch.documents, isComplete: !batch.isPartial))
        } catch {
            return .failure(error)
        }
    }

    /// - Returns: nil when no shard answered.
    private func parts() async -> DirectoryReading? {
        let groups = Dictionary(grouping: self.state.withLock { $0.known }) { id in
            self.shards.shard(ofHash: HashedKey.hash(id.text))
        }
        return await withTaskGroup(of: [BSONDocument]?.self) { tasks in
            for (shard, ids) in groups { tasks.addTask { await self.part(ids, shard: shard) } }
            var documents: [BSONDocument]?
            for await part in tasks {
                if let part { documents = (documents ?? []) + part }
            }
            return documents.map { self.reading($0, isComplete: false) }
        }
    }

    /// - Returns: nil when the shard did not answer.
    private func part(_ ids: [NodeID], shard: Int) async -> [BSONDocument]? {
        do throws(StoreError) {
            return try await self.access.find("nodes.listPart", through: self.lanes[shard]) { command in
                command.document("filter") { filter in
                    filter.document("_id") { condition in
                        condition.array("$in") { list in
                            for id in ids { list.element(id.text) }
                        }
                    }
                }
                command.append("batchSize", Int32(clamping: ids.count + 1))
            }.documents
        } catch {
            self.logger.warning(
                "a part of the directory cannot be read",
                metadata: ["shard": "\(self.shards.shards[shard])", "error": "\(error)"])
            return nil
        }
    }

    private func reading(_ documents: [BSONDocument], isComplete: Bool) -> DirectoryReading {
        var reading = DirectoryReading(records: [], isComplete: isComplete)
        for document in documents {
            do throws(DocumentError) {
                reading.records.append(try NodeCodec.decode(document, self.formats))
            } catch {
                // Its other readers know it, perhaps: it must not look gone.
                reading.isComplete = false
                // Not those that are gone: they read nothing any more.
                let isThere = document["st"]?.int64.map { $0 < Int64(NodeRecord.State.claimed.rawValue) } ?? true
                if error.isUnknownFormat, isThere { reading.foreign.append(error.message) }
                self.refuse(document, error)
            }
        }
        return reading
    }

    package func find(_ id: NodeID) async throws(StoreError) -> NodeRecord? {
        let batch = try await self.access.find("nodes.read", through: self.commands) {
            $0.append("filter", Self.identity(id))
        }
        guard let document = batch.documents.first else { return nil }
        do throws(DocumentError) {
            return try NodeCodec.decode(document, self.formats)
        } catch {
            self.refuse(document, error)
            throw StoreError(.malformed, operation: "nodes.read", message: "\(id): \(error.message)")
        }
    }

    private func refuse(_ document: BSONDocument, _ error: DocumentError) {
        self.refusals.count(error)
        self.logger.error(
            "node record refused",
            metadata: ["node": "\(document["_id"]?.string ?? "?")", "reason": "\(error.message)"])
    }

    /// The time in it makes every suspicion a real write, which proves that a majority takes writes.
    package func suspect(_ id: NodeID, beat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool {
        let filter = BSONDocument {
            $0.append("_id", id.text)
            $0.append("b", beat)
            $0.document("st") { $0.append("$lt", Int32(NodeRecord.State.gone.rawValue)) }
        }
        return try await self.access.update("nodes.suspect", through: self.commands, filter: filter) { statement in
            statement.document("u") { update in
                update.document("$set") { $0.append("sus.n", reaper.text) }
                update.document("$inc") { $0.append("sus.c", Int32(1)) }
                update.document("$currentDate") { $0.append("sus.t", true) }
            }
        }.matched == 1
    }

    package func claim(_ id: NodeID, expecting record: NodeRecord, by reaper: NodeID) async throws(StoreError) -> Bool {
        let filter = BSONDocument { filter in
            filter.append("_id", id.text)
            filter.append("b", record.beat)
            filter.append("cb", record.claimBeat)
            if let claimer = record.claimedBy {
                filter.append("by", claimer.text)
            } else {
                filter.document("by") { $0.append("$exists", false) }
            }
            filter.document("st") { $0.append("$lte", Int32(NodeRecord.State.claimed.rawValue)) }
        }
        return try await self.access.update("nodes.claim", through: self.commands, filter: filter) { statement in
            statement.document("u") { update in
                update.document("$set") { set in
                    set.append("st", Int32(NodeRecord.State.claimed.rawValue))
                    set.append("by", reaper.text)
                    set.append("cb", record.claimBeat + 1)
                }
            }
        }.matched == 1
    }

    package func renewClaim(_ id: NodeID, claimBeat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool {
        let filter = BSONDocument {
            $0.append("_id", id.text)
            $0.append("st", Int32(NodeRecord.State.claimed.rawValue))
            $0.append("by", reaper.text)
        }
        return try await self.access.update("nodes.renewClaim", through: self.commands, filter: filter) { statement in
            statement.document("u") { update in
                update.document("$max") { $0.append("cb", claimBeat) }
            }
        }.matched == 1
    }

    /// A state that is not ahead changes nothing. The tombstone's hour counts from the server's clock.
    package func advance(_ id: NodeID, to state: NodeRecord.State) async throws(StoreError) {
        let filter = BSONDocument {
            $0.append("_id", id.text)
            $0.document("st") { $0.append("$lt", Int32(state.rawValue)) }
        }
        _ = try await self.access.update("nodes.advance", through: self.commands, filter: filter) { statement in
            statement.array("u") { stages in
                stages.documentElement { stage in
                    stage.document("$set") { set in
                        set.append("st", Int32(state.rawValue))
                        guard state == .gone else { return }
                        set.document("x") { $0.array("$add") { Self.writeTombstoneEnd(into: &$0) } }
                    }
                }
            }
        }
    }

    private static let tombstone = TimeAmount.hours(1)

    private static func writeTombstoneEnd(into terms: inout BSONWriter) {
        terms.element("$$NOW")
        terms.element(Self.tombstone.wholeMilliseconds)
    }
}
