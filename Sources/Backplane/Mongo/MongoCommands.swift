import Logging
package import NIOCore
import NIOPosix
import Synchronization
package import Wire

/// Runs blocking commands for asynchronous callers: a few threads of its own behind a bounded queue (SPEC ND-14).
///
/// One per shard, so that a hung shard takes only its own threads.
package final class MongoCommands: Sendable {
    package let pool: MongoPool
    /// The deadline of a command whose caller names none.
    package let timeout: TimeAmount
    private let threads: NIOThreadPool
    private let queueLimit: Int
    private let waiting = Atomic<Int>(0)

    /// - Parameters:
    ///   - threads: commands in flight at once; the pool has to have as many clients.
    ///   - queueLimit: commands that may wait for a thread; beyond, a caller is refused at once.
    package init(pool: MongoPool, threads: Int = 4, queueLimit: Int = 1_000) {
        self.pool = pool
        self.timeout = pool.options.commandTimeout
        self.queueLimit = queueLimit
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.threads.start()
    }

    /// One command. See ``MongoClient/run(_:database:mode:)``.
    package func run(
        _ command: ByteBuffer, database: String, mode: MongoCommandMode = .plain, deadline: NIODeadline? = nil
    ) async throws(MongoError) -> BSONDocument {
        try await self.perform(MongoClient.name(of: command), deadline: deadline) { client throws(MongoError) in
            try client.run(command, database: database, mode: mode)
        }
    }

    /// Several commands in a row on one client.
    ///
    /// The caller goes on at the deadline whatever the driver does: with `unreachable` when `body` had not begun (it never
    /// will then), else with `unknownOutcome`.
    package func perform<Value: Sendable>(
        _ operation: String, deadline: NIODeadline? = nil,
        _ body: @escaping @Sendable (borrowing MongoClient) throws(MongoError) -> Value
    ) async throws(MongoError) -> Value {
        let deadline = deadline ?? .now() + self.timeout
        guard self.waiting.add(1, ordering: .relaxed).newValue <= self.queueLimit else {
            self.waiting.subtract(1, ordering: .relaxed)
            throw MongoError(.unreachable, operation: operation, message: "too many commands are waiting")
        }
        let started = NIODeadline.now()
        let result: Result<Value, MongoError> = await withCheckedContinuation { continuation in
            let call = MongoCall(operation: operation, continuation: continuation)
            let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(deadline: deadline) { call.expire() }
            self.threads.submit { state in
                self.waiting.subtract(1, ordering: .relaxed)
                guard case .active = state else {
                    timer.cancel()
                    call.finish(
                        .failure(MongoError(.unreachable, operation: operation, message: "shutting down")))
                    return
                }
                guard call.begin() else { return }
                let result: Result<Value, MongoError>
                do throws(MongoError) {
                    result = .success(try body(self.pool.client()))
                } catch {
                    result = .failure(error)
                }
                timer.cancel()
                call.finish(result)
            }
        }
        MongoMetrics.record(operation, since: started, failure: result.failure)
        return try result.get()
    }

    /// Ends the threads after the commands that they are running; commands that still wait are refused.
    package func shutdown() async {
        do {
            try await self.threads.shutdownGracefully()
        } catch {
            MongoDriver.logger.warning("command threads did not end", metadata: ["error": "\(error)"])
        }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}
