internal import Logging
internal import Metrics
internal import NIOCore
internal import Synchronization

/// The keys of one issuer as they are now: read at start, again from time to time, and when a token names a key that is not
/// there. The last good set is kept, whatever happens.
final class TokenKeySource: Sendable {
    /// Reads a key set; throws what to say about it.
    typealias Reader = @Sendable () async throws -> TokenKeySet

    private struct State {
        var keys: TokenKeySet?
        var lastRead: Int64?
        /// Who waits for the reading that is under way; nil while none is.
        var waiters: [FirstAnswer<Bool>]?
    }

    private static let mostWaiters = 1_000

    private let read: Reader
    /// Milliseconds.
    private let refresh: Int64
    private let unknownKey: Int64
    private let now: @Sendable () -> Int64
    private let logger: Logger
    private let state = Mutex(State())
    private let good = Counter(label: "submergence_token_key_reads_total", dimensions: [("outcome", "read")])
    private let bad = Counter(label: "submergence_token_key_reads_total", dimensions: [("outcome", "failed")])

    /// - Parameter now: milliseconds of a clock that only runs forward.
    init(_ issuer: TokenIssuer, read: @escaping Reader, now: @escaping @Sendable () -> Int64, logger: Logger) {
        self.read = read
        self.refresh = Int64(issuer.refreshInterval * 1_000)
        self.unknownKey = Int64(issuer.unknownKeyInterval * 1_000)
        self.now = now
        self.logger = logger
    }

    /// nil while they could not be read yet.
    var keys: TokenKeySet? { self.state.withLock(\.keys) }

    var isDue: Bool { self.state.withLock { state in state.lastRead.map { self.now() - $0 >= self.refresh } ?? true } }

    /// Reads the keys because a token names one that is not there, unless that was done a moment ago: however many such
    /// tokens come, the issuer is asked once in ``TokenIssuer/unknownKeyInterval``.
    /// - Returns: whether they were read.
    func look() async -> Bool { await self.load(unlessWithin: self.unknownKey) }

    /// Reads the keys. Who comes while they are read waits for that reading.
    ///
    /// - Parameter pause: milliseconds; a reading that began less than so long ago is enough.
    /// - Returns: whether they were read, just now.
    @discardableResult
    func load(unlessWithin pause: Int64 = 0) async -> Bool {
        let answer = FirstAnswer<Bool>()
        switch self.begin(answer, unlessWithin: pause) {
        case .enough: return false
        case .underWay: return await answer.value
        case .begun: break
        }
        var isRead = false
        do {
            let keys = try await self.read()
            self.state.withLock { $0.keys = keys }
            self.good.increment()
            isRead = true
        } catch {
            self.bad.increment()
            self.logger.warning("token keys could not be read; the last ones are kept", metadata: ["error": "\(error)"])
        }
        let waiters = self.state.withLock { state in
            defer { state.waiters = nil }
            return state.waiters ?? []
        }
        for waiter in waiters { waiter.offer(isRead) }
        return isRead
    }

    private enum Beginning {
        case begun, underWay, enough
    }

    private func begin(_ answer: FirstAnswer<Bool>, unlessWithin pause: Int64) -> Beginning {
        let now = self.now()
        return self.state.withLock { state in
            if let waiters = state.waiters {
                guard waiters.count < Self.mostWaiters else { return .enough }
                state.waiters?.append(answer)
                return .underWay
            }
            if let last = state.lastRead, now - last < pause { return .enough }
            state.waiters = []
            state.lastRead = now
            return .begun
        }
    }
}
