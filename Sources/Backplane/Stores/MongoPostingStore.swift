package import Logging
import Metrics
import NIOCore
package import Routing
import Wire

/// The outbox in MongoDB: a collection that applications insert into, in their own transactions, and the leases of its lanes.
/// On connections of its own: what it waits for holds up nothing else.
///
/// The collection is the queue. A number that was stored with a majority says that the document before it is so, too: what is
/// sent can't be rolled back.
package final class MongoPostingStore: PostingStore {
    private static let threads = 3
    private static let begunLimit: Int32 = 10_000

    let access: MongoStoreAccess
    let laneAccess: MongoStoreAccess
    let commands: MongoCommands
    private let formats: Formats
    private let logger: Logger
    /// Milliseconds for which documents that are done with are kept; 0: those that were delivered go at once.
    let keep: Int64
    private let refusals = DocumentRefusals(collection: "outbox_lanes", kind: "outbox_lane")

    package init(settings: MongoSettings, keepSeconds: Int, logger: Logger) throws(MongoError) {
        self.access = MongoStoreAccess(database: settings.database, collection: settings.collections.outbox)
        self.laneAccess = MongoStoreAccess(database: settings.database, collection: settings.collections.outboxLanes)
        self.formats = settings.formats
        self.logger = logger
        self.keep = Int64(keepSeconds) * 1_000
        var options = MongoPoolOptions(size: Self.threads, appName: settings.appName)
        // Batches span shards, and every write is a compare-and-set that is repeated until its outcome is known.
        options.retriesWrites = false
        self.commands = MongoCommands(
            pool: try MongoPool(uri: settings.uri, options: options), threads: Self.threads, queueLimit: 64)
    }

    /// The server has refused to change a document: it is tried again, and holds up no other.
    func refused(_ id: PostingID, _ error: StoreError) {
        self.logger.warning(
            "a document of the outbox could not be changed", metadata: ["error": "\(error)", "document": "\(id.text)"])
    }

    package func shutdown() async { await self.commands.shutdown() }

    /// The lane of a user.
    package static func lane(of user: String) -> Int { PostingLaneRecord.lane(ofHash: HashedKey.hash(user)) }

    // MARK: Lanes

    package func lanes() async throws(StoreError) -> [PostingLaneRecord] {
        var records = try await self.readLanes()
        if records.count < PostingLaneRecord.count {
            try await self.makeLanes()
            records = try await self.readLanes()
        }
        return records.sorted { $0.lane < $1.lane }
    }

    private func readLanes() async throws(StoreError) -> [PostingLaneRecord] {
        let batch = try await self.laneAccess.find("outbox.lanes", through: self.commands) { _ in }
        do throws(DocumentError) {
            return try batch.documents.map { document throws(DocumentError) in
                try PostingLaneCodec.decode(document, self.formats)
            }
        } catch {
            self.refusals.count(error)
            throw StoreError(.malformed, operation: "outbox.lanes", message: error.message)
        }
    }

    /// What is there stays.
    private func makeLanes() async throws(StoreError) {
        let command = BSONWriter.document { command in
            command.append("insert", self.laneAccess.collection)
            command.append("ordered", false)
            command.array("documents") { documents in
                for lane in 0..<PostingLaneRecord.count {
                    documents.documentElement { document in
                        document.append("_id", Int32(lane))
                        document.append("fv", Int32(self.formats.written))
                        let stream = RecoveryStream(sender: .random(in: .min ... .max), kind: .identity)
                        document.append("s", stream.code)
                        document.append("g", Int64(0))
                    }
                }
            }
        }
        let reply = try await self.laneAccess.write("outbox.make_lanes", through: self.commands, command)
        for element in reply["writeErrors"]?.array ?? BSONDocument({ _ in }) {
            guard let failure = element.document, !MongoStoreAccess.isDuplicate(failure) else { continue }
            throw MongoStoreAccess.statementFailure(failure, operation: "outbox.make_lanes")
        }
    }

    package func change(
        _ change: PostingLaneChange, by node: NodeID
    ) async throws(StoreError) -> PostingLaneRecord? {
        let record: PostingLaneRecord =
            switch change {
            case .take(let record), .ask(let record), .give(let record): record
            }
        let filter = BSONDocument { filter in
            filter.append("_id", Int32(record.lane))
            filter.append("s", record.stream.code)
            filter.append("g", record.generation)
            if let holder = record.holder { filter.append("h", holder.text) } else { filter.append("h", BSONNull()) }
        }
        let changed = try await self.laneAccess.findAndModify("outbox.lane", through: self.commands, filter: filter) {
            $0.document("update") { update in
                switch change {
                case .take:
                    update.document("$set") {
                        $0.append("h", node.text)
                        $0.append("g", record.generation + 1)
                    }
                    update.document("$unset") { $0.append("a", "") }
                case .ask: update.document("$set") { $0.append("a", node.text) }
                case .give: update.document("$unset") { $0.append("h", "") }
                }
            }
        }
        guard let changed else { return nil }
        do throws(DocumentError) {
            return try PostingLaneCodec.decode(changed, self.formats)
        } catch {
            self.refusals.count(error)
            throw StoreError(.malformed, operation: "outbox.lane", message: error.message)
        }
    }

    // MARK: Reading

    package func new(
        lanes: [Int], limit: Int, except users: [String]
    ) async throws(StoreError) -> [PostingReading] {
        let batch = try await self.access.find("outbox.new", through: self.commands) { command in
            command.document("filter") { filter in
                filter.append("state", BSONNull())
                if !users.isEmpty {
                    filter.document("user") { condition in
                        condition.array("$nin") { list in for user in users { list.element(user) } }
                    }
                }
                Self.only(lanes, into: &filter)
            }
            command.document("sort") { $0.append("_id", Int32(1)) }
            command.append("limit", Int32(limit))
            Self.project(into: &command)
        }
        return batch.documents.compactMap(PostingCodec.read)
    }

    package func begun(lanes: [Int]) async throws(StoreError) -> [PostingReading] {
        let batch = try await self.access.find("outbox.begun", through: self.commands) { command in
            command.document("filter") { filter in
                filter.append("state", PostingCodec.begun)
                Self.only(lanes, into: &filter)
            }
            command.append("limit", Self.begunLimit)
            Self.project(into: &command)
        }
        return batch.documents.compactMap(PostingCodec.read)
    }

    /// The server hashes the user as it does for shard keys: applications need not know of lanes.
    private static func only(_ lanes: [Int], into filter: inout BSONWriter) {
        guard lanes.count < PostingLaneRecord.count else { return }
        let count = Int64(PostingLaneRecord.count)
        filter.document("$expr") { expression in
            expression.array("$in") { pair in
                pair.documentElement { outer in
                    outer.array("$mod") { arguments in
                        arguments.documentElement { sum in
                            sum.array("$add") { terms in
                                terms.documentElement { inner in
                                    inner.array("$mod") { arguments in
                                        arguments.documentElement { $0.append("$toHashedIndexKey", "$user") }
                                        arguments.element(count)
                                    }
                                }
                                terms.element(count)
                            }
                        }
                        arguments.element(count)
                    }
                }
                pair.arrayElement { list in for lane in lanes { list.element(Int64(lane)) } }
            }
        }
    }

    /// The whole document, unless it is too large to be taken into memory.
    private static func project(into command: inout BSONWriter) {
        command.document("projection") { projection in
            projection.append("state", Int32(1))
            projection.append("lane", Int32(1))
            projection.document("d") { whole in
                whole.array("$cond") { condition in
                    condition.documentElement { comparison in
                        comparison.array("$lte") { sides in
                            sides.documentElement { $0.append("$bsonSize", "$$ROOT") }
                            sides.element(Int32(PostingCodec.sizeLimit))
                        }
                    }
                    condition.element("$$ROOT")
                    condition.element(BSONNull())
                }
            }
        }
    }

    package func backlog() async throws(StoreError) -> PostingBacklog {
        let waiting = BSONDocument { filter in
            filter.document("state") { condition in
                condition.array("$in") { states in
                    states.element(BSONNull())
                    states.element(PostingCodec.begun)
                }
            }
        }
        let oldest = try await self.access.find("outbox.oldest", through: self.commands) { command in
            command.append("filter", waiting)
            command.document("sort") { $0.append("_id", Int32(1)) }
            command.append("limit", Int32(1))
            command.document("projection") { $0.append("at", Int32(1)) }
        }
        guard let first = oldest.documents.first else { return PostingBacklog(count: 0, oldest: nil) }
        let count = try await self.access.find("outbox.waiting", through: self.commands) { command in
            command.append("filter", waiting)
            command.append("limit", Int32(PostingBacklog.limit))
            command.document("projection") { $0.append("_id", Int32(1)) }
        }
        return PostingBacklog(count: max(1, count.documents.count), oldest: Self.time(of: first))
    }

    /// As the document says, or its ObjectId.
    private static func time(of document: BSONDocument) -> Int64? {
        if let time = document["at"]?.date { return time }
        guard let id = document["_id"], id.type == .objectID,
            let seconds = id.rawValue.getInteger(at: 0, as: UInt32.self)
        else { return nil }
        return Int64(seconds) * 1_000
    }
}
