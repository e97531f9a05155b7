package import Logging
import NIOCore
import NIOPosix
package import Routing
package import Wire

/// ``ClusterAdapter`` on MongoDB: inboxes in capped collections, two homes per node (SPEC ND-6 to ND-11).
///
/// Order of a start: ``HomeChoice/homes(for:topology:others:)`` with what the registry lists, then
/// ``open(node:homes:topology:directory:receiver:options:logger:)``, and only then is the node registered as routable, with those homes (ND-2).
package final class MongoClusterAdapter: ClusterAdapter {
    private let outbox: BusOutbox
    private let inbox: BusInbox
    private let tails: [HomeTail]
    private let queue: InboxQueue
    private let threads: BusThreads

    private init(outbox: BusOutbox, inbox: BusInbox, tails: [HomeTail], queue: InboxQueue, threads: BusThreads) {
        self.outbox = outbox
        self.inbox = inbox
        self.tails = tails
        self.queue = queue
        self.threads = threads
    }

    /// Opens both tails, and returns once each has delivered a first probe (ND-2).
    /// - Parameters:
    ///   - homes: of this node, on shards of the topology.
    ///   - directory: asked by the bus's own threads whether a peer is claimed (ND-7, ND-8).
    ///   - receiver: called on one thread of the adapter; holding it up holds up the tails.
    package static func open(
        node: NodeID, homes: [NodeRecord.Home], topology: BusTopology, directory: any NodeDirectory,
        receiver: any ClusterReceiver, options: BusOptions = BusOptions(), tracer: Tracer? = nil, logger: Logger
    ) async throws(BusError) -> MongoClusterAdapter {
        let adapter = try self.start(
            node: node, homes: homes, topology: topology, directory: directory, receiver: receiver, options: options,
            tracer: tracer, logger: logger)
        let inbox = adapter.inbox
        let timer = MultiThreadedEventLoopGroup.singleton.any()
            .scheduleTask(in: options.startTimeout) { inbox.giveUpStart() }
        let isReady = await inbox.awaitProbes()
        timer.cancel()
        guard isReady else {
            let findings = adapter.findings.joined(separator: "; ")
            await adapter.shutdown()
            throw BusError(.notReady, "the inbox of this node delivers nothing: \(findings)")
        }
        return adapter
    }

    /// How each home is tailed and why, for the lines that a start prints (ND-10).
    package var findings: [String] { self.tails.map(\.finding) }

    package var health: BusHealth { self.inbox.health }

    package func publish(
        _ message: BusMessage, to target: NodeRecord, completion: @escaping @Sendable (PublishError?) -> Void
    ) {
        self.outbox.publish(message, to: target, completion: completion)
    }

    package func flush() async { await self.outbox.flush() }

    /// Takes as long as a server takes to answer what is under way: up to the deadline of a command.
    package func shutdown() async {
        self.inbox.giveUpStart()
        self.outbox.stop()
        for tail in self.tails { tail.stop() }
        self.queue.close()
        await self.threads.join()
    }

    private static func start(
        node: NodeID, homes: [NodeRecord.Home], topology: BusTopology, directory: any NodeDirectory,
        receiver: any ClusterReceiver, options: BusOptions, tracer: Tracer?, logger: Logger
    ) throws(BusError) -> MongoClusterAdapter {
        var pools = BusPools(options: options, lanes: topology.shards.count)
        var shards: [String: BusOutbox.Place] = [:]
        for shard in topology.shards { shards[shard.name] = (shard, try pools.inserts(shard.publishURI)) }
        let queue = InboxQueue(limit: options.readAheadBytes)
        let threads = BusThreads()
        let metrics = BusMetrics(homes: homes.count)
        var tails: [HomeTail] = []
        for (index, home) in homes.enumerated() {
            guard let shard = topology.shard(named: home.shard), shard.hasSlot(home.slot) else {
                throw BusError(.unknownHome, "there is no slot \(home.slot) on \(home.shard)")
            }
            let cursor = InboxSlot(
                pool: try pools.tails(shard.publishURI), database: shard.database,
                collection: shard.collection(slot: home.slot), node: node, awaitTime: options.awaitTime)
            var stream: InboxSlot?
            if let uri = shard.streamURI, options.tail != .cursor {
                stream = cursor
                stream?.pool = try pools.tails(uri)
            }
            tails.append(
                HomeTail(
                    index: index, shard: shard.name, stream: stream, cursor: cursor, options: options, queue: queue,
                    metrics: metrics, logger: logger))
        }
        let outbox = BusOutbox(
            node: node, limits: options.outbox, formats: options.formats, topology: topology, shards: shards,
            directory: directory,
            threads: threads, tracer: tracer, metrics: metrics, logger: logger)
        let inbox = BusInbox(
            node: node, homes: homes, limits: options.inbox, formats: options.formats, queue: queue, outbox: outbox,
            tails: tails,
            receiver: receiver, directory: directory, tracer: tracer, metrics: metrics, logger: logger)
        for (index, tail) in tails.enumerated() { threads.start("bus-tail-\(index)") { tail.run() } }
        threads.start("bus-inbox") { inbox.run() }
        return MongoClusterAdapter(outbox: outbox, inbox: inbox, tails: tails, queue: queue, threads: threads)
    }
}
