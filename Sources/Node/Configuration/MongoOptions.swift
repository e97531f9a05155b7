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
        /// Stands for another version; for tests of two versions at once.
        package var formats = Formats.current

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
