import Logging
import NIOCore
import Routing
import Synchronization
import Wire

@testable import Node

/// A clock that tests move, in milliseconds since 1970.
final class NodeTestClock: Sendable {
    static let start: Int64 = 1_800_000_000_000
    private let value = Mutex(NodeTestClock.start)

    var now: Int64 { self.value.withLock { $0 } }
    func advance(_ seconds: Double) { self.value.withLock { $0 += Int64(seconds * 1_000) } }
}

/// A session store that counts what is asked of it, and runs a hook in the middle of a read.
final class NodeTestStore: SessionStore {
    struct Counts: Equatable {
        var finds = 0
        var touches = 0
        var passes = 0
        var presentations = 0
    }

    let inner: InMemorySessionStore
    private let counted = Mutex(Counts())
    private let hook = Mutex<(@Sendable () async -> Void)?>(nil)
    private let failures = Mutex<[String: Int]>([:])

    init(_ clock: NodeTestClock) {
        self.inner = InMemorySessionStore(time: { clock.now })
    }

    var counts: Counts { self.counted.withLock { $0 } }

    /// Runs once, after the next read took its record and before it returns it.
    func duringNextFind(_ hook: @escaping @Sendable () async -> Void) { self.hook.withLock { $0 = hook } }

    /// The next `count` calls of an operation fail.
    func fail(_ operation: String, _ count: Int) { self.failures.withLock { $0[operation] = count } }

    private func check(_ operation: String) throws(StoreError) {
        let isFailing = self.failures.withLock { failures in
            guard let left = failures[operation], left > 0 else { return false }
            failures[operation] = left - 1
            return true
        }
        if isFailing { throw StoreError(.unavailable, operation: operation, message: "injected") }
    }

    func find(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord? {
        self.counted.withLock { $0.finds += 1 }
        try self.check("find")
        let record = try await self.inner.find(hash)
        let hook = self.hook.withLock { hook in
            defer { hook = nil }
            return hook
        }
        await hook?()
        return record
    }

    func find(_ hashes: [[UInt8]]) async throws(StoreError) -> [SessionRecord] { try await self.inner.find(hashes) }

    func findLatest(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord? {
        try self.check("findLatest")
        return try await self.inner.findLatest(hash)
    }

    func invalidateChain(
        _ chain: [UInt8], domain: String, user: String, client: String, reason: String
    ) async throws(StoreError) -> Int {
        try self.check("invalidateChain")
        return try await self.inner.invalidateChain(chain, domain: domain, user: user, client: client, reason: reason)
    }

    func insert(_ record: SessionRecord) async throws(StoreError) {
        try self.check("insert")
        try await self.inner.insert(record)
    }

    func invalidate(_ hash: [UInt8], reason: String) async throws(StoreError) {
        try self.check("invalidate")
        try await self.inner.invalidate(hash, reason: reason)
    }

    func invalidateAll(
        domain: String, user: String, client: String?, reason: String
    ) async throws(StoreError) -> Int {
        self.counted.withLock { $0.passes += 1 }
        try self.check("invalidateAll")
        return try await self.inner.invalidateAll(domain: domain, user: user, client: client, reason: reason)
    }

    func touch(_ hash: [UInt8], activity: Int64) async throws(StoreError) {
        self.counted.withLock { $0.touches += 1 }
        try await self.inner.touch(hash, activity: activity)
    }

    func beginRenewal(
        _ hash: [UInt8], _ renewal: SessionRecord.Renewal
    ) async throws(StoreError) -> SessionRecord? {
        try self.check("beginRenewal")
        return try await self.inner.beginRenewal(hash, renewal)
    }

    func noteSuccessorPresented(
        _ hash: [UInt8], successor: [UInt8], at now: Int64
    ) async throws(StoreError) {
        self.counted.withLock { $0.presentations += 1 }
        try self.check("noteSuccessorPresented")
        try await self.inner.noteSuccessorPresented(hash, successor: successor, at: now)
    }
}

/// Background work of a test: every piece is awaited by ``settle()``.
final class NodeTestPool: Sendable {
    private let tasks = Mutex<[Task<Void, Never>]>([])

    func submit(_ work: @escaping @Sendable () async -> Void) -> Bool {
        self.tasks.withLock { $0.append(Task { await work() }) }
        return true
    }

    func settle() async {
        while let task = self.tasks.withLock({ $0.popLast() }) { await task.value }
    }
}

/// A node's identity part on a store and a cluster of the test's own; beside another one it has that one's store, clock
/// and keys.
final class NodeTestIdentity: Sendable {
    let clock: NodeTestClock
    let pool = NodeTestPool()
    let store: NodeTestStore
    let cache: SessionCache
    let authority: SessionAuthority
    let revocation: Revocation
    let options: SessionOptions
    let keys: SigningKeyring
    let local = NodeID.random()

    struct Log {
        var published: [(message: BusMessage, target: NodeID)] = []
        var invalidations: [Invalidation] = []
        var kicks: [Kick] = []
        var readings: [DirectoryReading] = []
        var publishErrors: [PublishError] = []
    }

    let log = Recorder()

    /// What happened, and what is to happen next.
    final class Recorder: Sendable {
        private let value = Mutex(Log())

        var now: Log { self.value.withLock { $0 } }

        @discardableResult
        func change<R: Sendable>(_ body: (inout sending Log) -> sending R) -> R { self.value.withLock(body) }
    }

    init(
        _ options: SessionOptions = SessionOptions(), beside other: NodeTestIdentity? = nil, keys: SigningKeys? = nil,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { _ in try await NodeTestIdentity.never() }
    ) {
        self.clock = other?.clock ?? NodeTestClock()
        self.keys = SigningKeyring(keys ?? other?.keys.current ?? .generated())
        let (clock, pool, log, local) = (self.clock, self.pool, self.log, self.local)
        self.options = options
        self.store = other?.store ?? NodeTestStore(clock)
        self.cache = SessionCache(options)
        self.revocation = Revocation(
            store: self.store, cache: self.cache, options: options,
            environment: Revocation.Environment(
                nodes: { () throws(StoreError) in
                    log.change { log in
                        log.readings.isEmpty
                            ? DirectoryReading(records: [], isComplete: true)
                            : log.readings.count == 1 ? log.readings[0] : log.readings.removeFirst()
                    }
                },
                publish: { message, target, completion in
                    let error = log.change { log in
                        let error = log.publishErrors.isEmpty ? nil : log.publishErrors.removeFirst()
                        if error == nil { log.published.append((message, target.id)) }
                        return error
                    }
                    completion(error)
                },
                localNode: { local },
                invalidate: { invalidation, done in
                    log.change { $0.invalidations.append(invalidation) }
                    done(0)
                },
                kick: { kick, done in
                    log.change { $0.kicks.append(kick) }
                    done(0)
                }, submit: { pool.submit($0) }, sleep: sleep),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        self.authority = SessionAuthority(
            store: self.store, cache: self.cache, keys: self.keys, options: options, revocation: self.revocation,
            now: { clock.now }, submit: { pool.submit($0) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Waits until the task is cancelled.
    static func never() async throws {
        let (stream, _) = AsyncStream<Never>.makeStream()
        for await _ in stream {}
        try Task.checkCancellation()
    }

    func agent(
        cookies: [SetCookie] = [], headers: [(name: String, value: String)] = [], domain: String = "example.org",
        origin: DomainTable.OriginStanding = .absent
    ) async throws -> Agent {
        var fields = headers
        if !cookies.isEmpty {
            fields.append(("Cookie", cookies.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")))
        }
        return try await self.authority.agent(
            HeaderList(fields),
            SessionAuthority.Presented(
                domain: domain, source: ProxyTrust.Source(address: "192.0.2.7", isSecure: true), origin: origin))
    }

    /// The cookies of a fresh login.
    func login(
        _ user: String = "alice", _ client: String = "phone", remember: Bool = false, domain: String = "example.org"
    ) async throws -> [SetCookie] {
        let agent = try await self.agent(domain: domain)
        try await agent.setActive(user: user, client: client, rememberMe: remember)
        return agent.cookies.filter { $0.maxAge != 0 }
    }

    func node() -> NodeRecord {
        NodeRecord(id: .random(), name: nil, address: nil, started: 0, homes: [])
    }
}
