package import Logging
import NIOCore
import Wire

/// What is known of the deployment after looking at it: shards, bus, and how keys are grouped.
package struct MongoTopology: Sendable {
    package let deployment: MongoDeployment
    /// Names of the shards that hold the data and are not being drained, sorted; one for a replica set.
    package let shards: [String]
    package let bus: BusTopology
    package let routes: ShardMap
    package let sessions: ShardMap
    package let nodes: ShardMap
    package let tickets: ShardMap
    package let links: ShardMap
    package let answers: ShardMap

    /// The rights that users of this program need on this deployment. Blocks; nothing is made.
    package static func roles(_ settings: MongoSettings, logger: Logger) throws(MongoError) -> DatabaseRoles {
        var options = MongoPoolOptions.setup
        options.appName = settings.appName
        let client = try MongoPool(uri: settings.uri, options: options).client()
        let deployment = try MongoDeployment.detect(on: client)
        let setup = MongoSetup(settings: settings, deployment: deployment, logger: logger)
        let opener = Opener(settings: settings, setup: setup, makesMissing: false, logger: logger)
        return try opener.roles(on: client)
    }

    /// Looks at the deployment, and makes what is missing if `makesMissing`. Blocks, for seconds when there is a lot to make.
    /// - Parameter makesMissing: false leaves that to `init-db`; missing slots are then an error.
    package static func open(
        _ settings: MongoSettings, makesMissing: Bool = true, logger: Logger
    ) throws(MongoError) -> MongoTopology {
        var options = MongoPoolOptions.setup
        options.appName = settings.appName
        // One pool for all of it: the time limits are those of set-up, not of the running service.
        let client = try MongoPool(uri: settings.uri, options: options).client()
        let deployment = try MongoDeployment.detect(on: client)
        let setup = MongoSetup(settings: settings, deployment: deployment, logger: logger)
        let opener = Opener(settings: settings, setup: setup, makesMissing: makesMissing, logger: logger)
        switch deployment.kind {
        case .replicaSet(let name): return try opener.openReplicaSet(name, on: client)
        case .sharded: return try opener.openSharded(on: client)
        }
    }
}

/// The steps of ``MongoTopology/open(_:makesMissing:logger:)``.
private struct Opener {
    let settings: MongoSettings
    let setup: MongoSetup
    let makesMissing: Bool
    let logger: Logger

    struct Shard {
        var name: String
        var host: String
        /// `removeShard` has begun: what is there is moved away, and nothing new is made there.
        var isDraining: Bool
    }

    func openReplicaSet(_ name: String, on client: borrowing MongoClient) throws(MongoError) -> MongoTopology {
        if self.makesMissing { try self.setup.makeCollections(shardCount: 1, on: client) }
        let bus: BusTopology
        if self.settings.busURIs.isEmpty {
            bus = BusTopology(shards: [try self.busSet(name, uri: self.settings.uri, on: client)])
        } else {
            bus = try self.busSets()
        }
        try self.makeOrCheckRecoveryLog(self.settings.busDatabase, on: client)
        return MongoTopology(
            deployment: self.setup.deployment, shards: [name], bus: bus,
            routes: ShardMap(single: name),
            sessions: ShardMap(single: name),
            nodes: ShardMap(single: name),
            tickets: ShardMap(single: name),
            links: ShardMap(single: name), answers: ShardMap(single: name))
    }

    func openSharded(on client: borrowing MongoClient) throws(MongoError) -> MongoTopology {
        let all = try self.shards(on: client)
        let names = all.map(\.name)
        let staying = all.filter { !$0.isDraining }
        let shards = staying.isEmpty ? all : staying
        if self.makesMissing { try self.setup.makeCollections(shardCount: shards.count, on: client) }
        let bus = try self.settings.busURIs.isEmpty ? self.busDatabases(shards, on: client) : self.busSets()
        try self.makeOrCheckRecoveryLogs(shards, on: client)
        let isGrouped = try self.canGroup(on: client)
        func map(_ collection: String, on client: borrowing MongoClient) throws(MongoError) -> ShardMap {
            let namespace = self.namespace(collection)
            return isGrouped
                ? try ShardMap(shards: names, namespace: namespace, on: client)
                : ShardMap(single: "mixed")
        }
        return MongoTopology(
            deployment: self.setup.deployment, shards: shards.map(\.name), bus: bus,
            routes: try map(self.settings.collections.routes, on: client),
            sessions: try map(self.settings.collections.sessions, on: client),
            nodes: try map(self.settings.collections.nodes, on: client),
            tickets: try map(self.settings.collections.tickets, on: client),
            links: try map(self.settings.collections.links, on: client),
            answers: try map(self.settings.collections.answers, on: client))
    }

    func roles(on client: borrowing MongoClient) throws(MongoError) -> DatabaseRoles {
        let uri = self.settings.uri
        switch self.setup.deployment.kind {
        case .replicaSet(let name):
            let set = BusTopology.Shard(
                name: name, database: self.settings.busDatabase, slots: self.settings.slots, publishURI: uri,
                streamURI: uri, isRouted: false,
                collections: self.settings.collections)
            return DatabaseRoles(settings: self.settings, bus: BusTopology(shards: [set]), isSharded: false)
        case .sharded:
            let shards = try self.shards(on: client).map { shard in
                BusTopology.Shard(
                    name: shard.name, database: self.settings.busDatabase(shard: shard.name),
                    slots: self.settings.slots, publishURI: uri, streamURI: nil, isRouted: true,
                    collections: self.settings.collections)
            }
            return DatabaseRoles(settings: self.settings, bus: BusTopology(shards: shards), isSharded: true)
        }
    }

    private func namespace(_ collection: String) -> String { "\(self.settings.database).\(collection)" }

    /// Whether hashes can be computed here; if not, batches are mixed, and one hung shard stops all connects (ND-14).
    private func canGroup(on client: borrowing MongoClient) throws(MongoError) -> Bool {
        let reason: String
        do throws(MongoError) {
            if try HashedKeyCheck.agrees(on: client) { return true }
            reason = "this server hashes keys otherwise"
        } catch  where error.serverCode != nil {
            reason = "this server does not tell how it hashes keys: \(error.message)"
        }
        self.logger.warning("keys are not grouped by shard", metadata: ["reason": "\(reason)"])
        return false
    }

    private func shards(on client: borrowing MongoClient) throws(MongoError) -> [Shard] {
        let find = BSONWriter.document { $0.append("find", "shards") }
        var shards: [Shard] = []
        for document in try client.documents(find, database: "config") {
            guard let name = document["_id"]?.string, let host = document["host"]?.string else { continue }
            shards.append(Shard(name: name, host: host, isDraining: document["draining"]?.bool == true))
        }
        guard !shards.isEmpty else {
            throw MongoError(.refused, operation: "set-up", message: "the sharded cluster has no shards yet")
        }
        return shards.sorted { $0.name < $1.name }
    }

    /// One database per shard, its primary being that shard.
    private func busDatabases(_ shards: [Shard], on client: borrowing MongoClient) throws(MongoError) -> BusTopology {
        var primaries = try self.primaries(on: client)
        for shard in shards {
            let database = self.settings.busDatabase(shard: shard.name)
            if self.makesMissing, primaries[database] == nil {
                try self.setup.makeDatabase(database, primary: shard.name, on: client)
            }
            try self.makeOrCheckSlots(database, on: client)
        }
        primaries = try self.primaries(on: client)
        return BusTopology(
            shards: shards.map { shard in
                let database = self.settings.busDatabase(shard: shard.name)
                // Somebody may have moved the database since: streams go where it is now.
                let primary = shards.first { $0.name == primaries[database] } ?? shard
                return BusTopology.Shard(
                    name: shard.name, database: database, slots: self.settings.slots, publishURI: self.settings.uri,
                    streamURI: MongoURI.shard(primary.host, of: self.settings.uri), isRouted: true,
                    collections: self.settings.collections)
            }, routed: self.settings)
    }

    private func primaries(on client: borrowing MongoClient) throws(MongoError) -> [String: String] {
        let find = BSONWriter.document { $0.append("find", "databases") }
        var primaries: [String: String] = [:]
        for document in try client.documents(find, database: "config") {
            if let name = document["_id"]?.string { primaries[name] = document["primary"]?.string }
        }
        return primaries
    }

    private func busSets() throws(MongoError) -> BusTopology {
        var sets: [BusTopology.Shard] = []
        for uri in self.settings.busURIs {
            var options = MongoPoolOptions.setup
            options.appName = self.settings.appName
            let client = try MongoPool(uri: uri, options: options).client()
            guard case .replicaSet(let name) = try MongoDeployment.detect(on: client).kind else {
                throw MongoError(
                    .refused, operation: "set-up",
                    message: "busURIs name replica sets, not routers: \(MongoURI.redacted(uri))")
            }
            guard !sets.contains(where: { $0.name == name }) else {
                throw MongoError(
                    .refused, operation: "set-up", message: "two of busURIs are replica sets named \(name)")
            }
            sets.append(try self.busSet(name, uri: uri, on: client))
        }
        return BusTopology(shards: sets)
    }

    private func busSet(
        _ name: String, uri: String, on client: borrowing MongoClient
    ) throws(MongoError) -> BusTopology.Shard {
        try self.makeOrCheckSlots(self.settings.busDatabase, on: client)
        return BusTopology.Shard(
            name: name, database: self.settings.busDatabase, slots: self.settings.slots, publishURI: uri,
            streamURI: uri,
            isRouted: false,
            collections: self.settings.collections)
    }

    /// The recovery logs lie with the data, also where the bus does not.
    private func makeOrCheckRecoveryLogs(_ shards: [Shard], on client: borrowing MongoClient) throws(MongoError) {
        guard self.settings.recoveryLog != nil else { return }
        let primaries = try self.primaries(on: client)
        for shard in shards {
            let database = self.settings.busDatabase(shard: shard.name)
            if self.makesMissing, primaries[database] == nil {
                try self.setup.makeDatabase(database, primary: shard.name, on: client)
            }
            try self.makeOrCheckRecoveryLog(database, on: client)
        }
    }

    private func makeOrCheckRecoveryLog(_ database: String, on client: borrowing MongoClient) throws(MongoError) {
        guard let size = self.settings.recoveryLog else { return }
        if self.makesMissing {
            try self.setup.makeRecoveryLog(size: size, database: database, on: client)
        } else if try !self.setup.hasRecoveryLog(database: database, on: client) {
            throw MongoError(
                .refused, operation: "set-up",
                message: "\(database) lacks the recovery log: run `submergence init-db --recovery-log`")
        }
    }

    private func makeOrCheckSlots(_ database: String, on client: borrowing MongoClient) throws(MongoError) {
        if self.makesMissing {
            try self.setup.makeSlots(database: database, on: client)
            return
        }
        let missing = try self.setup.missingSlots(database: database, on: client)
        guard missing.isEmpty else {
            throw MongoError(
                .refused, operation: "set-up",
                message: "\(database) lacks \(missing.joined(separator: ", ")): run `submergence init-db`")
        }
    }
}
