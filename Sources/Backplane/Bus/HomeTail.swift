import Dispatch
import Logging
import Metrics
import NIOCore
import Routing
import Synchronization
import Wire

/// Keeps one home tailed, on a thread of its own: opens, reads, resumes, and finds out by which way (SPEC ND-9, ND-10).
final class HomeTail: Sendable {
    private struct State {
        /// Chosen by the first tail that opens; kept for the incarnation.
        var mode: String?
        /// How the mode was found, for people.
        var finding = ""
        var lastError: MongoError?
        var wantsReopen = false
        var isStopped = false
    }

    private let index: Int
    private let shard: String
    private let stream: InboxSlot?
    private let cursor: InboxSlot
    private let options: BusOptions
    private let queue: InboxQueue
    private let metrics: BusMetrics
    private let logger: Logger
    private let state = Mutex(State())
    private let stopped = DispatchSemaphore(value: 0)

    /// - Parameter stream: nil where no address of the set is known.
    init(
        index: Int, shard: String, stream: InboxSlot?, cursor: InboxSlot, options: BusOptions, queue: InboxQueue,
        metrics: BusMetrics, logger: Logger
    ) {
        self.index = index
        self.shard = shard
        self.stream = options.tail == .cursor ? nil : stream
        self.cursor = cursor
        self.options = options
        self.queue = queue
        self.metrics = metrics
        var logger = logger
        logger[metadataKey: "home"] = "\(shard)/\(cursor.collection)"
        self.logger = logger
    }

    /// nil as long as no tail was open.
    var mode: String? { self.state.withLock { $0.mode } }

    /// For the line printed at start.
    var finding: String {
        self.state.withLock { state in
            state.mode == nil ? "\(self.shard): \(state.lastError?.description ?? "not open yet")" : state.finding
        }
    }

    /// Nothing comes through the tail although it should: open another one (ND-10).
    func reopen() { self.state.withLock { $0.wantsReopen = true } }

    func stop() {
        self.state.withLock { $0.isStopped = true }
        self.stopped.signal()
    }

    /// The thread's body.
    /// - Parameter position: a new incarnation begins now; only tests begin elsewhere.
    func run(from position: TailPosition = TailPosition()) {
        var position = position
        var readsLeftover = false
        var isFirst = true
        while !self.isStopped {
            if !isFirst { self.metrics.reopens[self.index].increment() }
            do throws(MongoError) {
                try self.readOne(&position, readsLeftover: &readsLeftover)
            } catch {
                self.state.withLock { $0.lastError = error }
                if TailPosition.isHistoryLost(error) {
                    position.loseHistory()
                    readsLeftover = true
                    self.metrics.historyLost.increment()
                    self.logger.error("the history of an inbox is lost", metadata: ["error": "\(error)"])
                } else if !self.isStopped {
                    self.logger.warning("a tail ended; opening it again", metadata: ["error": "\(error)"])
                }
            }
            isFirst = false
            if self.isStopped { return }
            let pause = Int(self.options.reopenPause.nanoseconds)
            if self.stopped.wait(timeout: .now() + .nanoseconds(pause)) == .success { return }
        }
    }

    private var isStopped: Bool { self.state.withLock { $0.isStopped } }

    /// Opens one tail, in the mode that was found or is to be found now, and reads it until it ends.
    private func readOne(_ position: inout TailPosition, readsLeftover: inout Bool) throws(MongoError) {
        switch self.mode {
        case StreamTail.mode?:
            guard let stream = self.stream else { preconditionFailure("the mode was found with this slot") }
            try self.read(StreamTail.open(stream, at: position), stream, &position, &readsLeftover)
        case .some:
            readsLeftover = false
            try self.read(CursorTail.open(self.cursor, at: position), self.cursor, &position, &readsLeftover)
        case nil:
            try self.findMode(&position, &readsLeftover)
        }
    }

    private func findMode(_ position: inout TailPosition, _ readsLeftover: inout Bool) throws(MongoError) {
        let slot = "\(self.shard)/\(self.cursor.collection)"
        var reason = "as configured"
        if let stream = self.stream {
            let tail: StreamTail
            do throws(MongoError) {
                tail = try StreamTail.open(stream, at: position)
            } catch {
                if self.options.tail == .stream || TailPosition.isHistoryLost(error) { throw error }
                return try self.beginCursor(
                    "\(slot): cursor, as no change stream could be opened on the set itself (\(error.message))",
                    &position, &readsLeftover)
            }
            self.found(StreamTail.mode, "\(slot): change stream on \(stream.pool.redactedURI)")
            return try self.read(tail, stream, &position, &readsLeftover)
        }
        if self.options.tail != .cursor { reason = "as the address of the set is not known" }
        if self.options.tail == .stream {
            throw MongoError(.refused, operation: "tail", message: "no address of the set \(self.shard) is known")
        }
        try self.beginCursor("\(slot): cursor, \(reason)", &position, &readsLeftover)
    }

    private func beginCursor(
        _ finding: String, _ position: inout TailPosition, _ readsLeftover: inout Bool
    ) throws(MongoError) {
        let tail = try CursorTail.open(self.cursor, at: position)
        self.found(CursorTail.mode, finding)
        try self.read(tail, self.cursor, &position, &readsLeftover)
    }

    private func found(_ mode: String, _ finding: String) {
        self.state.withLock { state in
            state.mode = mode
            state.finding = finding
        }
        self.metrics.tailMode(home: self.index, mode: mode)
        self.logger.info("an inbox is tailed", metadata: ["mode": "\(mode)", "finding": "\(finding)"])
    }

    private func read<Tail: InboxTail & ~Copyable>(
        _ tail: consuming Tail, _ slot: InboxSlot, _ position: inout TailPosition, _ readsLeftover: inout Bool
    ) throws(MongoError) {
        self.state.withLock { $0.wantsReopen = false }
        if readsLeftover {
            // Only now: what is inserted from here on comes through the new tail (ND-9).
            try self.readLeftover(slot, position)
            readsLeftover = false
        }
        while true {
            let (isStopped, wantsReopen) = self.state.withLock { ($0.isStopped, $0.wantsReopen) }
            if isStopped || wantsReopen { return }
            var isQueueOpen = true
            let isOpen = try tail.next(&position) { envelope in
                isQueueOpen = isQueueOpen && self.queue.push(.init(home: self.index, envelope: envelope))
            }
            guard isOpen, isQueueOpen else { return }
        }
    }

    /// What the slot still holds for this node. All of it, in batches; what was seen before is dropped behind the queue.
    private func readLeftover(_ slot: InboxSlot, _ position: TailPosition) throws(MongoError) {
        let client = try slot.pool.client()
        let find = BSONWriter.document {
            $0.append("find", slot.collection)
            $0.append("filter", position.filter(for: slot.node))
        }
        var cursor = try OpenCursor(find, database: slot.database, on: client)
        var documents = cursor.firstBatch.documents
        var seen = position
        do throws(MongoError) {
            while true {
                for document in documents {
                    seen.advance({ _ = self.queue.push(.init(home: self.index, envelope: $0)) }, document)
                }
                if cursor.id == 0 { break }
                documents = try cursor.more(on: client, maxAwait: nil).documents
            }
        } catch {
            cursor.close(on: client)
            throw error
        }
        cursor.close(on: client)
    }
}
