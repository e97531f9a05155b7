import Dispatch
package import Logging
import Metrics
import NIOCore
package import Routing
import Synchronization
import Wire

/// Steps of traced events in MongoDB: one document for an event, which the server removes after a while. On a connection
/// and a thread of its own, so that tracing holds up nothing else; both begin with the first step.
package final class MongoTraceStore: TraceStore {
    /// Steps that may wait to be written.
    package static let waitingLimit = 10_000
    /// Steps of one event that are kept: the newest.
    package static let stepLimit = 500
    /// Events in one command.
    private static let commandLimit = 1_000

    private struct State {
        var waiting: [TraceStep] = []
        var hasThread = false
        var isClosed = false
    }

    private let settings: MongoSettings
    private let threads = BusThreads()
    private let logger: Logger
    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)
    private let written = Counter(label: "submergence_trace_steps_total")
    private let dropped = Counter(label: "submergence_trace_steps_dropped_total")

    package init(settings: MongoSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    package var waiting: Int { self.state.withLock(\.waiting.count) }

    package func append(_ step: TraceStep) {
        enum Outcome { case taken(isFirst: Bool, starts: Bool), dropped }
        let outcome = self.state.withLock { state -> Outcome in
            guard !state.isClosed, state.waiting.count < Self.waitingLimit else { return .dropped }
            state.waiting.append(step)
            defer { state.hasThread = true }
            return .taken(isFirst: state.waiting.count == 1, starts: !state.hasThread)
        }
        switch outcome {
        case .dropped: self.dropped.increment()
        case .taken(let isFirst, let starts):
            if starts { self.threads.start("traces") { self.run() } }
            if isFirst { self.arrived.signal() }
        }
    }

    /// Writes what waits, and ends. Takes as long as a command may.
    package func shutdown() async {
        self.state.withLock { $0.isClosed = true }
        self.arrived.signal()
        await self.threads.join()
    }

    private func run() {
        var options = MongoPoolOptions(size: 1, appName: self.settings.appName)
        options.retriesWrites = false
        let pool: MongoPool
        do throws(MongoError) {
            pool = try MongoPool(uri: self.settings.uri, options: options)
        } catch {
            preconditionFailure("the cluster was opened with the same connection string: \(error)")
        }
        while true {
            self.arrived.wait()
            let (steps, isClosed) = self.state.withLock { state in
                defer { state.waiting = [] }
                return (state.waiting, state.isClosed)
            }
            self.write(steps, pool)
            if isClosed { return }
        }
    }

    private func write(_ steps: [TraceStep], _ pool: MongoPool) {
        let events = Dictionary(grouping: steps, by: \.event).values.map { $0 }
        for start in stride(from: 0, to: events.count, by: Self.commandLimit) {
            let part = events[start..<min(start + Self.commandLimit, events.count)]
            let count = part.reduce(0) { $0 + $1.count }
            do throws(MongoError) {
                let reply = try pool.client().run(self.command(part), database: self.settings.database, mode: .write)
                let failed = reply["writeErrors"]?.array?.reduce(0) { count, _ in count + 1 } ?? 0
                self.dropped.increment(by: min(failed, count))
                self.written.increment(by: count - min(failed, count))
            } catch {
                self.dropped.increment(by: count)
                self.logger.warning("steps of traced events are lost", metadata: ["error": "\(error)"])
            }
        }
    }

    private func command(_ events: ArraySlice<[TraceStep]>) -> ByteBuffer {
        BSONWriter.document { command in
            command.append("update", self.settings.collections.traces)
            command.append("ordered", false)
            command.array("updates") { statements in
                for steps in events {
                    statements.documentElement { statement in
                        statement.document("q") { $0.append("_id", steps[0].event.text) }
                        statement.document("u") { self.update(steps, into: &$0) }
                        statement.append("upsert", true)
                    }
                }
            }
        }
    }

    private func update(_ steps: [TraceStep], into update: inout BSONWriter) {
        let end = steps.reduce(0) { max($0, $1.time) } + Int64(self.settings.traceSeconds) * 1_000
        update.document("$setOnInsert") { $0.append("fv", Int32(self.settings.formats.written)) }
        update.document("$max") { $0.append("x", BSONDate(milliseconds: end)) }
        update.document("$push") { push in
            push.document("s") { list in
                list.array("$each") { array in
                    for step in steps { array.documentElement { TraceCodec.write(step, into: &$0) } }
                }
                list.append("$slice", Int32(-Self.stepLimit))
            }
        }
    }

    /// The steps of one event, in order. Blocks: for a command that reads and ends.
    /// - Returns: nil for an event that is unknown, or of which everything was removed.
    package static func read(_ event: TraceID, _ settings: MongoSettings) throws(StoreError) -> [TraceStep]? {
        let command = BSONWriter.document { command in
            command.append("find", settings.collections.traces)
            command.document("filter") { $0.append("_id", event.text) }
            command.append("limit", Int32(1))
            command.append("maxTimeMS", Int64(4_500))
        }
        let document: BSONDocument?
        do throws(MongoError) {
            let pool = try MongoPool(
                uri: settings.uri, options: MongoPoolOptions(timeout: .seconds(5), size: 1, appName: settings.appName))
            document = try pool.client().everything(command, database: settings.database).documents.first
        } catch {
            throw MongoStoreAccess.readFailure(error, operation: "traces.read")
        }
        guard let document else { return nil }
        do throws(DocumentError) {
            return TraceStep.inOrder(try TraceCodec.decode(document, settings.formats))
        } catch {
            throw StoreError(.malformed, operation: "traces.read", message: error.message)
        }
    }
}
