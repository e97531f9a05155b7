internal import Backplane
package import Wire

extension Configuration {
    /// How a node reaches MongoDB 6.0 or later, a replica set or a sharded cluster.
    public struct Mongo: Sendable, Equatable {
        /// How inboxes are read (SPEC ND-10).
        public enum Tail: String, Sendable, CaseIterable {
            /// What the servers allow: a change stream where it is not merged, else a cursor through the router.
            case auto
            case stream
            case cursor
        }

        public var uri: String
        /// Database of sessions, routes and nodes; the inboxes lie in databases of this name with a suffix.
        public var database: String
        /// Put before the names of all collections, of the inboxes' too: installations with different prefixes share a database,
        /// and never meet. At most 32 letters, digits, `_` and `-`. Default empty.
        public var collectionPrefix = ""
        public var tail: Tail
        /// Replica sets that carry the bus in place of the data shards; empty: the data shards.
        public var busURIs: [String]
        /// Bytes of one inbox slot. Fixed when the slots are made. Default 256 MiB (SPEC §2).
        public var slotSize: Int
        /// Bytes of each shard's recovery log, 512 MiB, 1 MiB or more. Fixed when it is made, which connection state recovery
        /// or `init-db --recovery-log` does.
        public var recoveryLogSize: Int
        /// Bytes of acknowledged messages that a node keeps for each other node until that has read them, to put them into
        /// its other home if the first one stops answering (SPEC ND-7). Default 8 MiB; 0: none are kept, and a message may
        /// come too late when the primary of an inbox dies.
        public var keptBytes: Int
        /// Inbox slots per shard. Fixed when they are made.
        public var slotsPerShard: Int
        /// Share of sent events whose way is written down for `submergence why`, 0 to 1, beside those that ask for it. Default 0.
        public var traceRate: Double
        /// Seconds for which that is kept. Default 3,600.
        public var traceSeconds: Int
        /// Sends what applications have put into the collection `Outbox` (docs/outbox.md); nil: off, the default, as every node that
        /// serves it looks into the database several times a second.
        public var outbox: Outbox?
        /// Stands for another version; for tests of two versions at once.
        package var formats = Formats.current

        /// How the outbox is served.
        public struct Outbox: Sendable, Equatable {
            /// Seconds for which documents that are done with are kept, with their receipts. Default 86,400; 0: those that were
            /// delivered are removed at once.
            public var keep: Int
            /// Seconds between looks into the collection while no change stream wakes the node. 0.05 to 60, default 0.2.
            public var poll: Double
            /// Documents that a node has in its hands. 16 to 2,048, default 512.
            public var inFlight: Int
            /// Seconds for which a document is sent again while some node cannot be reached; then it counts as delivered,
            /// incompletely. 0 to 3,600, default 60.
            public var retry: Int

            public init(keep: Int = 86_400, poll: Double = 0.2, inFlight: Int = 512, retry: Int = 60) {
                self.keep = keep
                self.poll = poll
                self.inFlight = inFlight
                self.retry = retry
            }

            /// - Returns: what cannot work.
            var complaint: String? {
                if !(0...31_536_000).contains(self.keep) { return "keep must be 0 to 31,536,000 seconds" }
                if !(0.05...60).contains(self.poll) { return "poll must be 0.05 to 60 seconds" }
                if !(16...2_048).contains(self.inFlight) { return "inFlight must be 16 to 2,048" }
                if !(0...3_600).contains(self.retry) { return "retry must be 0 to 3,600 seconds" }
                return nil
            }
        }

        public init(uri: String, database: String = "submergence", tail: Tail = .auto, busURIs: [String] = []) {
            self.uri = uri
            self.database = database
            self.tail = tail
            self.busURIs = busURIs
            self.slotSize = 256 << 20
            self.recoveryLogSize = 512 << 20
            self.keptBytes = 8 << 20
            self.traceRate = 0
            self.traceSeconds = 3_600
            self.slotsPerShard = 8
        }
    }
}

extension Configuration.Mongo {
    /// Bytes of a collection prefix.
    private static let longestPrefix = 32
    /// MongoDB takes 63 bytes; `_bus_` and the hash of a shard's name take 21.
    private static let longestDatabase = 42

    /// What the stores need to know, without a recovery log.
    var settings: MongoSettings {
        var settings = MongoSettings(uri: self.uri, database: self.database, prefix: self.collectionPrefix)
        settings.busURIs = self.busURIs
        settings.formats = self.formats
        settings.traceSeconds = self.traceSeconds
        settings.slots = self.slotsPerShard
        settings.slotSize = self.slotSize
        return settings
    }

    /// What of it cannot work, as far as it can be known without asking MongoDB.
    package func complaints() -> [StartError] {
        var found: [StartError] = []
        // MongoDB's own rules for names, and no more of the others than a name needs.
        let refused: Set<Character> = ["/", "\\", ".", " ", "\"", "$", "*", "<", ">", ":", "|", "?"]
        if self.database.isEmpty || self.database.utf8.count > Self.longestDatabase
            || self.database.contains(where: { refused.contains($0) || ($0.asciiValue ?? 0) < 0x21 })
            || ["admin", "config", "local"].contains(self.database)
        {
            found.append(
                StartError(
                    "the database cannot be called so",
                    why: "MongoDB or the databases of the inboxes would not take the name",
                    remedy:
                        "Use 1 to \(Self.longestDatabase) letters, digits, hyphens and underscores, and not admin, config or local.",
                    about: ["database"]))
        }
        let isPlain = self.collectionPrefix.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "-")
        }
        if !isPlain || self.collectionPrefix.utf8.count > Self.longestPrefix {
            found.append(
                StartError(
                    "the collection prefix cannot work", why: "it would make names that mean something else to MongoDB",
                    remedy: "Use at most \(Self.longestPrefix) letters, digits, hyphens and underscores.",
                    about: ["collection-prefix"]))
        }
        return found
    }
}
