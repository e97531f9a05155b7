import Logging
import NIOCore
import Wire

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Makes databases, collections, shard keys, chunks, indexes and inbox slots (SPEC §2). Idempotent, and safe to run from
/// several nodes at once; what is there already is left as it is. It looks before it makes: where nothing is missing, a
/// user that may only read and write documents (``DatabaseRoles``) can run it.
struct MongoSetup {
    let settings: MongoSettings
    let deployment: MongoDeployment
    let logger: Logger

    /// The collections of ``MongoSettings/collections`` with their indexes.
    /// - Parameter shardCount: for the number of chunks to begin with.
    func makeCollections(shardCount: Int, on client: borrowing MongoClient) throws(MongoError) {
        let database = self.settings.database
        switch self.deployment.kind {
        case .sharded:
            let known = try self.shardedCollections(on: client)
            if !known.isSuperset(of: self.settings.collections.all) {
                try self.makeDatabase(database, primary: nil, on: client)
            }
            for name in self.settings.collections.all where !known.contains(name) {
                try self.shard(name, chunks: shardCount * self.settings.chunksPerShard, on: client)
                self.logger.info("collection sharded", metadata: ["collection": "\(database).\(name)"])
            }
        case .replicaSet:
            let known = try self.collections(database: database, on: client)
            for name in self.settings.collections.all where known[name] == nil {
                let create = BSONWriter.document { $0.append("create", name) }
                try self.run(create, database, on: client, accepting: [MongoError.namespaceExists])
            }
        }
        for (collection, indexes) in self.indexes { try self.index(collection, indexes, on: client) }
    }

    /// The slots of one bus database. One that is there but is not capped would keep every envelope: that is refused.
    func makeSlots(database: String, on client: borrowing MongoClient) throws(MongoError) {
        var known = try self.collections(database: database, on: client)
        for slot in 0..<self.settings.slots where known[self.settings.collections.slot(slot)] == nil {
            let name = self.settings.collections.slot(slot)
            let create = BSONWriter.document {
                $0.append("create", name)
                $0.append("capped", true)
                $0.append("size", Int64(self.settings.slotSize))
            }
            try self.run(create, database, on: client, accepting: [MongoError.namespaceExists])
        }
        known = try self.collections(database: database, on: client)
        for slot in 0..<self.settings.slots {
            let name = self.settings.collections.slot(slot)
            guard known[name] == true else {
                throw MongoError(
                    .refused, operation: "set-up",
                    message: "\(database).\(name) is not a capped collection: drop it and start again")
            }
        }
    }

    /// Missing slots without making them.
    func missingSlots(database: String, on client: borrowing MongoClient) throws(MongoError) -> [String] {
        let known = try self.collections(database: database, on: client)
        return (0..<self.settings.slots).map { self.settings.collections.slot($0) }.filter { known[$0] != true }
    }

    /// The recovery log of one database, its index, and its first document: as long as that is there, nothing was overwritten.
    func makeRecoveryLog(size: Int, database: String, on client: borrowing MongoClient) throws(MongoError) {
        let name = self.settings.collections.recovery
        let create = BSONWriter.document {
            $0.append("create", name)
            $0.append("capped", true)
            $0.append("size", Int64(size))
        }
        if try self.collections(database: database, on: client)[name] == nil,
            try self.run(create, database, on: client, accepting: [MongoError.namespaceExists])
        {
            // Only by who made it: put into one that has been in use it would tell a lie. A crash in between costs
            // nothing but that the log counts as overwritten until it is.
            let insert = BSONWriter.document { command in
                command.append("insert", name)
                command.array("documents") { documents in
                    documents.documentElement { document in
                        document.append("_id", RecoveryCodec.genesis)
                        document.append("fv", Int32(Formats.oldest))
                    }
                }
            }
            try self.run(insert, database, on: client)
            self.logger.info("recovery log made", metadata: ["collection": "\(database).\(name)"])
        }
        guard try self.hasRecoveryLog(database: database, on: client) else {
            throw MongoError(
                .refused, operation: "set-up",
                message: "\(database).\(name) is not a capped collection: drop it and start again")
        }
        try self.index(name, [Index(key: "k", more: ["f", "n"])], in: database, on: client)
    }

    func hasRecoveryLog(database: String, on client: borrowing MongoClient) throws(MongoError) -> Bool {
        try self.collections(database: database, on: client)[self.settings.collections.recovery] == true
    }

    /// - Parameter primary: the shard that unsharded collections lie on; nil = the cluster chooses.
    func makeDatabase(
        _ database: String, primary: String?, on client: borrowing MongoClient
    ) throws(MongoError) {
        let enable = BSONWriter.document {
            $0.append("enableSharding", database)
            $0.append("primaryShard", ifPresent: primary)
        }
        // It exists on another shard: somebody moved it, and the topology reads where it is.
        try self.run(enable, "admin", on: client, accepting: [MongoError.namespaceExists])
    }

    /// The collections that are there, and whether each is capped.
    private func collections(database: String, on client: borrowing MongoClient) throws(MongoError) -> [String: Bool] {
        let list = BSONWriter.document { $0.append("listCollections", Int32(1)) }
        var collections: [String: Bool] = [:]
        for document in try client.documents(list, database: database) {
            guard let name = document["name"]?.string else { continue }
            collections[name] = document["options"]?.document?["capped"]?.isTrue ?? false
        }
        return collections
    }

    private func shardedCollections(on client: borrowing MongoClient) throws(MongoError) -> Set<String> {
        let prefix = "\(self.settings.database)."
        let find = BSONWriter.document {
            $0.append("find", "collections")
            $0.document("filter") { filter in
                filter.document("_id") { condition in
                    condition.array("$in") { names in
                        for name in self.settings.collections.all { names.element(prefix + name) }
                    }
                }
            }
        }
        var names: Set<String> = []
        for document in try client.documents(find, database: "config") {
            guard let name = document["_id"]?.string else { continue }
            guard document["key"]?.document?["_id"]?.string == "hashed" else {
                throw MongoError(
                    .refused, operation: "set-up", message: "\(name) is sharded, but not by the hashed _id (SPEC ND-1)")
            }
            names.insert(String(name.dropFirst(prefix.count)))
        }
        return names
    }

    private func shard(_ collection: String, chunks: Int, on client: borrowing MongoClient) throws(MongoError) {
        let namespace = "\(self.settings.database).\(collection)"
        func command(chunks: Int?) -> BSONDocument {
            BSONDocument { document in
                document.append("shardCollection", namespace)
                document.document("key") { $0.append("_id", "hashed") }
                document.append("numInitialChunks", ifPresent: chunks.map(Int64.init))
            }
        }
        do throws(MongoError) {
            try self.run(command(chunks: chunks).bytes, "admin", on: client)
        } catch  where error.serverCode != nil && error.serverCode != MongoError.unauthorized {
            // A collection that is not empty takes no number of chunks and needs the index first; later versions split as
            // they like.
            self.logger.notice(
                "collection is sharded without pre-split chunks",
                metadata: ["collection": "\(namespace)", "error": "\(error.message)"])
            try self.index(collection, [Index(key: "_id", isHashed: true)], on: client)
            try self.run(command(chunks: nil).bytes, "admin", on: client)
        }
    }
}

extension MongoSetup {
    private struct Index {
        var key: String
        var more: [String] = []
        var isHashed = false
        var isSparse = false
        /// TTL: the field holds the time at which a document goes.
        var expires = false

        var name: String {
            ([self.key] + self.more).map { "\($0)_\(self.isHashed ? "hashed" : "1")" }.joined(separator: "_")
        }
    }

    /// SPEC §2, "indexes, expiry".
    private var indexes: [(String, [Index])] {
        let names = self.settings.collections
        let expiry = Index(key: "x", expires: true)
        return [
            (names.sessions, [Index(key: "D", more: ["U", "C"]), expiry]),
            (
                names.routes,
                [
                    Index(key: "live.n"), Index(key: "due", isSparse: true), Index(key: "out.n", isSparse: true),
                    expiry,
                ]
            ),
            (names.links, [Index(key: "state", more: ["t"]), expiry]),
            (names.nodes, [expiry]),
            (names.tickets, [expiry]),
            (names.traces, [expiry]),
            (names.outbox, [Index(key: "state", more: ["_id"]), Index(key: "expires", expires: true)]),
            (names.answers, [expiry]),
        ]
    }

    private func index(
        _ collection: String, _ indexes: [Index], in database: String? = nil, on client: borrowing MongoClient
    ) throws(MongoError) {
        let database = database ?? self.settings.database
        let known = try self.indexNames(collection, in: database, on: client)
        let missing = indexes.filter { !known.contains($0.name) }
        guard !missing.isEmpty else { return }
        let command = BSONWriter.document { command in
            command.append("createIndexes", collection)
            command.array("indexes") { array in
                for index in missing {
                    array.documentElement { document in
                        document.document("key") { key in
                            for field in [index.key] + index.more {
                                if index.isHashed { key.append(field, "hashed") } else { key.append(field, Int32(1)) }
                            }
                        }
                        document.append("name", index.name)
                        if index.isSparse { document.append("sparse", true) }
                        if index.expires { document.append("expireAfterSeconds", Int32(0)) }
                    }
                }
            }
        }
        try self.run(command, database, on: client)
    }

    private func indexNames(
        _ collection: String, in database: String, on client: borrowing MongoClient
    ) throws(MongoError) -> Set<String> {
        let list = BSONWriter.document { $0.append("listIndexes", collection) }
        do throws(MongoError) {
            return Set(try client.documents(list, database: database).compactMap { $0["name"]?.string })
        } catch  where error.serverCode == MongoError.namespaceNotFound {
            return []
        }
    }

    /// Metadata commands of several nodes get into each other's way, and an election may come between: repeated for 30 s.
    /// - Returns: false when the server answered with a code that is accepted.
    @discardableResult
    private func run(
        _ command: ByteBuffer, _ database: String, on client: borrowing MongoClient,
        accepting accepted: Set<Int32> = []
    ) throws(MongoError) -> Bool {
        for attempt in 1... {
            do throws(MongoError) {
                _ = try client.run(command, database: database, mode: .writeOnce)
                return true
            } catch {
                if let code = error.serverCode, accepted.contains(code) { return false }
                guard error.isTransient || Self.passing.contains(error.serverCode ?? 0), attempt < Self.attempts else {
                    throw error
                }
                self.logger.debug("set-up waits", metadata: ["error": "\(error)"])
                // Set-up runs on a thread of its own, once: this is no place for a timer.
                usleep(100_000)
            }
        }
        preconditionFailure("the attempts end with a throw")
    }

    private static let attempts = 300

    /// ConflictingOperationInProgress, LockBusy, MovePrimaryInProgress, StaleConfig, DatabaseDropPending,
    /// BackgroundOperationInProgressForNamespace.
    private static let passing: Set<Int32> = [117, 46, 297, 13388, 215, 12587]
}
