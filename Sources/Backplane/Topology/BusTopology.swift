import NIOCore
import Wire

/// Where the inboxes are (SPEC ND-6, ND-10): the shards or bus sets, sorted by name, and their slots.
package struct BusTopology: Sendable {
    /// One shard, or one replica set of its own.
    package struct Shard: Sendable, Equatable {
        /// The shard's or the set's name; what a ``NodeRecord`` calls a home's shard.
        package var name: String
        /// The database that holds the slots; on a sharded cluster its primary is this shard.
        package var database: String
        /// Slots are numbered from 0 to one less.
        package var slots: Int
        /// Envelopes are inserted through this: the routers, or the set itself.
        package var publishURI: String
        /// The replica set on which a change stream is not merged; nil where its addresses are unknown.
        package var streamURI: String?
        /// Whether ``publishURI`` leads through routers, so that streams need direct access to the shard.
        package var isRouted: Bool
        /// What the slots are called.
        private let collections: MongoSettings.Collections

        package init(
            name: String, database: String, slots: Int, publishURI: String, streamURI: String?, isRouted: Bool,
            collections: MongoSettings.Collections = .init()
        ) {
            self.collections = collections
            self.name = name
            self.database = database
            self.slots = slots
            self.publishURI = publishURI
            self.streamURI = streamURI
            self.isRouted = isRouted
        }

        package func collection(slot: Int) -> String { self.collections.slot(slot) }
    }

    /// Sorted by name; never empty. A shard that is being drained is not among them: nobody makes a home there any more.
    package var shards: [Shard]
    /// Where all inboxes are reached through the same routers, a shard's name says where its slots are; nil elsewhere.
    private let settings: MongoSettings?

    package init(shards: [Shard]) {
        self.shards = shards.sorted { $0.name < $1.name }
        self.settings = nil
    }

    /// Inboxes on the shards of a sharded cluster.
    init(shards: [Shard], routed settings: MongoSettings) {
        self.shards = shards.sorted { $0.name < $1.name }
        self.settings = settings
    }

    /// One that was added, or began to be drained, since this process looked at the deployment is known by what others call a
    /// home: they have looked.
    package func shard(named name: String) -> Shard? {
        if let known = self.shards.first(where: { $0.name == name }) { return known }
        return self.settings.map {
            Shard(
                name: name, database: $0.busDatabase(shard: name), slots: $0.slots, publishURI: $0.uri, streamURI: nil,
                isRouted: true, collections: $0.collections)
        }
    }
}

extension BusTopology.Shard {
    /// Tries whether a change stream on the slots can be opened (ND-10: "tries it at start and says what it found"). Blocks
    /// for up to the pool's time limits; call it from a thread of the program's own.
    package func probeStream(appName: String = "submergence") throws(MongoError) {
        guard let uri = self.streamURI else {
            throw MongoError(.refused, operation: "probe", message: "the shard's own addresses are not known")
        }
        let pool = try MongoPool(uri: uri, options: MongoPoolOptions(size: 1, appName: appName))
        let match = BSONDocument { $0.append("operationType", "insert") }
        var tail = try MongoTail.changeStream(
            on: pool.client(), database: self.database, collection: self.collection(slot: 0), match: match, start: .now)
        _ = try tail.next(maxAwait: .milliseconds(1))
    }
}
