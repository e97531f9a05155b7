import Dispatch
package import Logging
import Metrics
import NIOCore
import Synchronization
import Wire

/// Wakes a node when something is put into the outbox: a change stream on each shard, where it is not merged (SPEC ND-10).
///
/// It carries nothing. The collection is the queue and is looked into all the time, so a stream that breaks, or whose history
/// is gone, costs no more than the time until the next look.
package final class PostingWatch: Sendable {
    private let settings: MongoSettings
    private let places: [String]
    private let poke: @Sendable () -> Void
    private let logger: Logger
    private let threads = BusThreads()
    private let isStopped = Atomic<Bool>(false)
    private let open = Gauge(label: "submergence_outbox_streams")
    private let openCount = Atomic<Int>(0)

    /// - Parameters:
    ///   - topology: nil where no streams are wanted.
    ///   - poke: called from threads of its own.
    package init(
        settings: MongoSettings, topology: MongoTopology?, poke: @escaping @Sendable () -> Void, logger: Logger
    ) {
        self.settings = settings
        // Sets of their own for the bus do not hold the outbox.
        self.places =
            switch topology?.deployment.kind {
            case .replicaSet: [settings.uri]
            case .sharded: topology?.bus.shards.compactMap { $0.isRouted ? $0.streamURI : nil } ?? []
            case nil: []
            }
        self.poke = poke
        self.logger = logger
    }

    package func start() {
        self.open.record(0)
        for place in self.places { self.threads.start("outbox") { self.follow(place) } }
    }

    /// Returns when the threads have ended: after half a second at most, or the time limit of opening a stream.
    package func stop() async {
        self.isStopped.store(true, ordering: .relaxed)
        guard !self.places.isEmpty else { return }
        await self.threads.join()
    }

    private func follow(_ place: String) {
        var hasComplained = false
        let paused = DispatchSemaphore(value: 0)
        while !self.isStopped.load(ordering: .relaxed) {
            do throws(MongoError) {
                try self.read(place)
            } catch {
                if !hasComplained {
                    self.logger.notice(
                        "the outbox is looked into at intervals only: no change stream on it",
                        metadata: ["error": "\(error)", "place": "\(MongoURI.redacted(place))"])
                }
                hasComplained = true
            }
            for _ in 0..<20 where !self.isStopped.load(ordering: .relaxed) {
                _ = paused.wait(timeout: .now() + .milliseconds(500))
            }
        }
    }

    private func read(_ place: String) throws(MongoError) {
        let pool = try MongoPool(uri: place, options: MongoPoolOptions(size: 1, appName: self.settings.appName))
        let match = BSONDocument { $0.append("operationType", "insert") }
        var tail = try MongoTail.changeStream(
            on: pool.client(), database: self.settings.database, collection: self.settings.collections.outbox,
            match: match, start: .now)
        self.open.record(self.openCount.add(1, ordering: .relaxed).newValue)
        defer { self.open.record(self.openCount.subtract(1, ordering: .relaxed).newValue) }
        self.poke()
        while !self.isStopped.load(ordering: .relaxed), !tail.isAtEnd {
            if try !tail.next().documents.isEmpty { self.poke() }
        }
    }
}
