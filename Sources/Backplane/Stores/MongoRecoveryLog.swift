package import Logging
import Metrics
import NIOCore
package import Routing
import Wire

/// The recovery log in MongoDB: one capped, unsharded collection per shard of the data (SOCKETIO §14.2), made at set-up.
///
/// Capped: it needs no clean-up, and its natural order says whether anything was overwritten.
package final class MongoRecoveryLog: RecoveryLog {
    /// Bytes of packets per command: below MongoDB's 48 MB for a message, and small enough not to hold up others.
    private static let commandSize = 8 << 20
    /// Documents of a first answer; most clients have missed far fewer.
    private static let batch: Int32 = 1_000

    package let places: [String]
    private let settings: MongoSettings
    private let isSharded: Bool
    private let routes: ShardMap
    private let lanes: [String: MongoCommands]
    /// For places that this node does not know by itself: shards that came later.
    private let general: MongoCommands
    private let logger: Logger
    private let metrics = RecoveryMetrics()
    private let refusals = DocumentRefusals(collection: "recovery", kind: "recovery")

    /// - Parameter lanes: one per shard of the routes' map.
    package init(
        settings: MongoSettings, topology: MongoTopology, lanes: [MongoCommands], general: MongoCommands,
        logger: Logger
    ) {
        self.settings = settings
        self.places = topology.shards
        self.isSharded = topology.deployment.kind == .sharded
        self.routes = topology.routes
        self.lanes = Dictionary(uniqueKeysWithValues: zip(topology.routes.shards, lanes))
        self.general = general
        self.logger = logger
    }

    /// The shard of the route: one hung shard stalls its own users only (SPEC ND-14).
    package func place(of key: RouteKey) -> String {
        let hash = HashedKey.hash(key.text)
        let name = self.routes.shards[self.routes.shard(ofHash: hash)]
        // Where keys cannot be grouped any place will do, but evenly.
        return self.places.contains(name)
            ? name : self.places[Int(UInt64(bitPattern: hash) % UInt64(self.places.count))]
    }

    package func append(_ entries: [RecoveryEntry], to place: String) async throws(StoreError) {
        do throws(StoreError) {
            // Acknowledged before any event is sent: who sees the event sees the hole before it.
            let holes = entries.filter { $0.content == .hole }
            if !holes.isEmpty { try await self.insert(holes, to: place) }
            let events = holes.isEmpty ? entries : entries.filter { $0.content != .hole }
            if !events.isEmpty { try await self.insert(events, to: place) }
            self.metrics.appended(entries)
        } catch {
            self.metrics.appendFailed()
            throw error
        }
    }

    private func insert(_ entries: [RecoveryEntry], to place: String) async throws(StoreError) {
        var rest = entries[...]
        while !rest.isEmpty {
            var bytes = 0
            let part = rest.prefix { entry in
                defer { bytes += entry.byteCount + 512 }
                return bytes == 0 || bytes + entry.byteCount + 512 <= Self.commandSize
            }
            rest = rest.dropFirst(part.count)
            try await self.insertOnce(part, to: place)
        }
    }

    private func insertOnce(_ entries: ArraySlice<RecoveryEntry>, to place: String) async throws(StoreError) {
        let lane = self.lane(of: place)
        var writer = BSONWriter(capacity: 1024)
        writer.append("insert", self.settings.collections.recovery)
        writer.append("ordered", false)
        do throws(EnvelopeError) {
            try writer.array("documents") { documents throws(EnvelopeError) in
                for sheet in RecoverySheet.sheets(of: entries) {
                    try documents.documentElement { document throws(EnvelopeError) in
                        try RecoveryCodec.write(sheet, self.settings.formats, into: &document)
                    }
                }
            }
        } catch {
            throw StoreError(.rejected, operation: "recovery.append", message: "\(error)")
        }
        writer.append("maxTimeMS", MongoStoreAccess.maxTime(lane))
        let command = writer.finish()
        let database = self.database(of: place)
        let latestRepeat = NIODeadline.now() + .nanoseconds(lane.timeout.nanoseconds / 2)
        let reply: BSONDocument
        do throws(MongoError) {
            // `_id` makes a repeated insert harmless, and a transaction number would cost the server a second write.
            reply = try await lane.perform("recovery.append") { client throws(MongoError) in
                do throws(MongoError) {
                    return try client.run(command, database: database, mode: .writeOnce)
                } catch  where error.isTransient && NIODeadline.now() < latestRepeat {
                    return try client.run(command, database: database, mode: .writeOnce)
                }
            }
        } catch {
            throw MongoStoreAccess.writeFailure(error, operation: "recovery.append")
        }
        for element in reply["writeErrors"]?.array ?? BSONDocument({ _ in }) {
            guard let failure = element.document, !MongoStoreAccess.isDuplicate(failure) else { continue }
            throw MongoStoreAccess.statementFailure(failure, operation: "recovery.append")
        }
    }

    /// By the list of shards alone: every node has the same, unless a shard was added since one of them started.
    package func scopePlace(of domain: String) -> String {
        let hash = HashedKey.hash(RecoveryEntry.scopeKey(of: domain).text)
        return self.places[Int(UInt64(bitPattern: hash) % UInt64(self.places.count))]
    }

    package func read(_ query: RecoveryQuery, at place: String) async throws(StoreError) -> RecoveryHistory {
        do throws(StoreError) {
            let (own, doesOwnReach) = try await self.read(
                query, at: place,
                Self.find(
                    query.key, in: self.settings.collections.recovery, Self.ownClauses(query),
                    maxTime: self.maxTime(place)))
            let scope = self.scopePlace(of: query.key.domain)
            let (broadcasts, doBroadcastsReach) = try await self.read(
                query, at: scope,
                Self.find(
                    query.scopeKey, in: self.settings.collections.recovery, Self.broadcastClauses(query),
                    maxTime: self.maxTime(scope)))
            let history = RecoveryHistory(
                own + broadcasts, for: query, reachesBack: doesOwnReach && doBroadcastsReach)
            self.metrics.read(history)
            return history
        } catch {
            self.metrics.readFailed()
            throw error
        }
    }

    private func read(
        _ query: RecoveryQuery, at place: String, _ find: ByteBuffer
    ) async throws(StoreError) -> (entries: [RecoveryEntry], reachesBack: Bool) {
        let database = self.database(of: place)
        let oldest = self.findOldest(maxTime: self.maxTime(place))
        let documents: [BSONDocument]
        let first: BSONDocument?
        do throws(MongoError) {
            (documents, first) = try await self.lane(of: place).perform("recovery.read") { client throws(MongoError) in
                let documents = try Self.read(find, database: database, limits: query.limits, on: client)
                // Last: what was overwritten while the entries were read shows here.
                return (documents, try client.documents(oldest, database: database).first)
            }
        } catch {
            throw MongoStoreAccess.readFailure(error, operation: "recovery.read")
        }
        var reachesBack = false
        if let first {
            reachesBack =
                first["_id"]?.string == RecoveryCodec.genesis
                || first["t"]?.date.map { $0 < query.horizon } ?? false
        }
        return (try self.decode(documents), reachesBack)
    }

    private func maxTime(_ place: String) -> Int64 { MongoStoreAccess.maxTime(self.lane(of: place)) }

    private func decode(_ documents: [BSONDocument]) throws(StoreError) -> [RecoveryEntry] {
        var entries: [RecoveryEntry] = []
        entries.reserveCapacity(documents.count)
        for document in documents {
            do throws(DocumentError) {
                entries += try RecoveryCodec.decode(document, self.settings.formats)
            } catch {
                self.refusals.count(error)
                self.logger.error("recovery log entry refused", metadata: ["reason": "\(error.message)"])
                throw StoreError(.malformed, operation: "recovery.read", message: error.message)
            }
        }
        return entries
    }

    /// Reads until there is more than a client is replayed.
    private static func read(
        _ find: ByteBuffer, database: String, limits: RecoveryQuery.Limits, on client: borrowing MongoClient
    ) throws(MongoError) -> [BSONDocument] {
        var cursor = try OpenCursor(find, database: database, on: client)
        var documents = cursor.firstBatch.documents
        var bytes = documents.reduce(0) { $0 + $1.bytes.readableBytes }
        // Documents are larger than their packets: what is cut off here is beyond the limit in any case.
        while cursor.id != 0, documents.count <= limits.events, bytes <= 2 * limits.bytes + documents.count * 1_024 {
            do throws(MongoError) {
                let batch = try cursor.more(on: client, maxAwait: nil)
                documents += batch.documents
                bytes += batch.documents.reduce(0) { $0 + $1.bytes.readableBytes }
            } catch {
                cursor.close(on: client)
                throw error
            }
        }
        let isCut = cursor.id != 0
        cursor.close(on: client)
        guard isCut else { return documents }
        throw MongoError(.refused, operation: "recovery.read", message: "more than a client is replayed")
    }

    static func find(
        _ key: RouteKey, in collection: String, _ clauses: (inout BSONWriter) -> Void, maxTime: Int64
    ) -> ByteBuffer {
        BSONWriter.document { command in
            command.append("find", collection)
            command.document("filter") { filter in
                filter.array("$or") { clauses(&$0) }
            }
            command.document("projection") { self.writeProjection(to: key, into: &$0) }
            command.append("batchSize", Self.batch)
            command.document("readConcern") { $0.append("level", "majority") }
            command.append("maxTimeMS", maxTime)
        }
    }

    /// Of a sheet only the entries of the key, and of every key.
    private static func writeProjection(to key: RouteKey, into projection: inout BSONWriter) {
        for name in ["fv", "f", "g", "x"] { projection.append(name, Int32(1)) }
        projection.document("e") { field in
            field.document("$filter") { filter in
                filter.append("input", "$e")
                filter.append("as", "e")
                filter.document("cond") { condition in
                    condition.array("$in") { operands in
                        operands.element("$$e.k")
                        operands.arrayElement { keys in
                            keys.element(key.text)
                            keys.element(RecoveryCodec.everyKey)
                        }
                    }
                }
            }
        }
    }

    /// One clause per known sender, so that each is a range of the index.
    static func ownClauses(_ query: RecoveryQuery) -> (inout BSONWriter) -> Void {
        { clauses in
            self.writeClauses(of: query.key, query, .identity, into: &clauses) {
                $0.document("v") { $0.append("$gte", query.base) }
            } each: { _ in
            }
            clauses.documentElement { clause in
                clause.append("k", RecoveryCodec.everyKey)
                clause.document("t") { $0.append("$gte", BSONDate(milliseconds: query.horizon)) }
            }
        }
    }

    /// Only those for rooms that the client is in: a domain may broadcast far more than one client is replayed.
    static func broadcastClauses(_ query: RecoveryQuery) -> (inout BSONWriter) -> Void {
        { clauses in
            self.writeClauses(of: query.scopeKey, query, .broadcast, into: &clauses) { _ in
            } each: { clause in
                // nil is what a broadcast to the whole namespace has.
                clause.document("g") { self.write("$in", query.roomNames, withNull: true, into: &$0) }
                clause.document("x") { self.write("$nin", query.roomNames, withNull: false, into: &$0) }
            }
        }
    }

    private static func write(_ name: String, _ rooms: [String], withNull: Bool, into condition: inout BSONWriter) {
        condition.array(name) { array in
            if withNull { array.element(BSONNull()) }
            for room in rooms { array.element(room) }
        }
    }

    private static func writeClauses(
        of key: RouteKey, _ query: RecoveryQuery, _ kind: RecoveryStream.Kind, into clauses: inout BSONWriter,
        unknown: (inout BSONWriter) -> Void, each: (inout BSONWriter) -> Void
    ) {
        let marks = query.position.marks.filter { $0.stream.kind == kind }
        for mark in marks {
            clauses.documentElement { clause in
                clause.append("k", key.text)
                clause.append("f", mark.stream.code)
                clause.document("n") { $0.append("$gt", mark.number) }
                each(&clause)
            }
        }
        clauses.documentElement { clause in
            clause.append("k", key.text)
            if !marks.isEmpty {
                clause.document("f") { condition in
                    condition.array("$nin") { streams in
                        for mark in marks { streams.element(mark.stream.code) }
                    }
                }
            }
            unknown(&clause)
            let oldest = max(query.position.floor * 1000, kind == .broadcast ? query.earliestBroadcast : .min)
            clause.document("t") { $0.append("$gt", BSONDate(milliseconds: oldest)) }
            each(&clause)
        }
    }

    private func findOldest(maxTime: Int64) -> ByteBuffer {
        BSONWriter.document { command in
            command.append("find", self.settings.collections.recovery)
            command.document("projection") { $0.append("t", Int32(1)) }
            command.document("sort") { $0.append("$natural", Int32(1)) }
            command.append("limit", Int64(1))
            command.append("singleBatch", true)
            command.append("maxTimeMS", maxTime)
        }
    }

    private func lane(of place: String) -> MongoCommands { self.lanes[place] ?? self.general }

    private func database(of place: String) -> String {
        self.isSharded ? self.settings.busDatabase(shard: place) : self.settings.busDatabase
    }
}
