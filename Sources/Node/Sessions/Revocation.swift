package import Logging
internal import Metrics
package import Routing
internal import Synchronization
package import Wire

/// Carries a logout, a login or a kick to every node (SPEC ID-13, ID-14): sessions are marked until a pass changes
/// nothing, then the nodes are listed from the primary, then each is told.
package struct Revocation: Sendable {
    /// What revocation needs of the node around it.
    package struct Environment: Sendable {
        /// All nodes, from the primary and never from the cached directory: `NodeRegistry.list`.
        package let nodes: @Sendable () async throws(StoreError) -> DirectoryReading
        /// `ClusterAdapter.publish`.
        package let publish: @Sendable (BusMessage, NodeRecord, @escaping @Sendable (PublishError?) -> Void) -> Void
        /// The node's present incarnation; it is told directly.
        package let localNode: @Sendable () -> NodeID
        package typealias Cut = RevocationCut

        /// Applies an invalidation to this node's sockets. The cache has forgotten the sessions by then.
        package let invalidate: @Sendable (Invalidation, Cut) -> Void
        /// Cuts this node's connections.
        package let kick: @Sendable (Kick, Cut) -> Void
        /// Makes lost connections of the user, or of one client, unrecoverable (SOCKETIO §14.2), and ends the waiting for them.
        package let forget: @Sendable (_ domain: String, _ user: String, _ client: String?, LogoutReason) -> Void
        /// Runs work that may outlive its caller, in a bounded pool; false: it will not run.
        package let submit: @Sendable (@escaping @Sendable () async -> Void) -> Bool
        /// Throws when the task is cancelled.
        package let sleep: @Sendable (Duration) async throws -> Void

        package init(
            nodes: @escaping @Sendable () async throws(StoreError) -> DirectoryReading,
            publish: @escaping @Sendable (BusMessage, NodeRecord, @escaping @Sendable (PublishError?) -> Void) -> Void,
            localNode: @escaping @Sendable () -> NodeID,
            invalidate: @escaping @Sendable (Invalidation, Cut) -> Void,
            kick: @escaping @Sendable (Kick, Cut) -> Void,
            forget: @escaping @Sendable (_ domain: String, _ user: String, _ client: String?, LogoutReason) -> Void = {
                _, _, _, _ in
            },
            submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool,
            sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
        ) {
            self.nodes = nodes
            self.publish = publish
            self.localNode = localNode
            self.invalidate = invalidate
            self.kick = kick
            self.forget = forget
            self.submit = submit
            self.sleep = sleep
        }
    }

    private let store: any SessionStore
    private let cache: SessionCache
    private let environment: Environment
    private let timeout: Duration
    private let logger: Logger
    package let ledger: RevocationLedger
    private let late = Counter(label: "submergence_revocations_late_total")

    package init(
        store: any SessionStore, cache: SessionCache, options: SessionOptions, environment: Environment,
        ledger: RevocationLedger = RevocationLedger(), logger: Logger
    ) {
        self.ledger = ledger
        self.store = store
        self.cache = cache
        self.environment = environment
        self.timeout = .seconds(options.revocationTimeout)
        self.logger = logger
    }

    /// Marks every session of the user, or of one of its clients.
    package func revokeAll(_ invalidation: Invalidation) async throws(SessionError) {
        try await self.run(.logout) { () throws(StoreError) in
            while try await self.store.invalidateAll(
                domain: invalidation.domain, user: invalidation.user, client: invalidation.client,
                reason: invalidation.reason.rawValue) > 0
            {}
        } then: { done in
            self.environment.forget(
                invalidation.domain, invalidation.user, invalidation.client, invalidation.reason)
            self.apply(invalidation, done)
            return invalidation.message
        }
    }

    /// Marks the sessions of one login: the invalidation names its client and chain.
    package func revokeChain(_ invalidation: Invalidation) async throws(SessionError) {
        guard let client = invalidation.client, let chain = invalidation.chain else {
            preconditionFailure("a chain belongs to a client")
        }
        try await self.run(.session) { () throws(StoreError) in
            while try await self.store.invalidateChain(
                chain, domain: invalidation.domain, user: invalidation.user, client: client,
                reason: invalidation.reason.rawValue) > 0
            {}
        } then: { done in
            self.apply(invalidation, done)
            return invalidation.message
        }
    }

    /// Cuts the connections of the user, or of one of its clients, on every node. Sessions stay (ID-14).
    package func kick(_ kick: Kick) async throws(SessionError) {
        try await self.run(.kick) { () throws(StoreError) in
        } then: { done in
            self.environment.forget(kick.domain, kick.user, kick.client, kick.reason)
            self.environment.kick(kick, done)
            return kick.message
        }
    }

    /// What a node does about an invalidation, its own or one that arrived.
    package func apply(_ invalidation: Invalidation, _ done: Environment.Cut) {
        self.cache.drop(domain: invalidation.domain, user: invalidation.user, client: invalidation.client)
        self.environment.invalidate(invalidation, done)
    }

    /// Returns when everything is written; throws after the timeout, while the work goes on in the background.
    private func run(
        _ what: RevocationLedger.Kind, mark: @escaping @Sendable () async throws(StoreError) -> Void,
        then tell: @escaping @Sendable (Environment.Cut) -> BusMessage
    ) async throws(SessionError) {
        let begun = self.ledger.moment
        let outcome = FirstAnswer<Bool>()
        let isAccepted = self.environment.submit {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        try await self.environment.sleep(self.timeout)
                        if outcome.offer(false) {
                            self.late.increment()
                            self.logger.warning(
                                "revocation goes on in the background", metadata: ["kind": "\(what.rawValue)"])
                        }
                    } catch {
                        // Cancelled: the work below has ended, one way or the other.
                    }
                }
                let isDone = await self.persist(what, begun: begun, mark: mark, then: tell)
                outcome.offer(isDone)
                group.cancelAll()
            }
        }
        guard isAccepted else { throw .unavailable("too many revocations are under way") }
        guard await outcome.value else {
            throw .unavailable("the revocation could not be written in time; it is repeated in the background")
        }
    }

    /// - Returns: false when the process ends before it is done.
    private func persist(
        _ what: RevocationLedger.Kind, begun: Int64, mark: @escaping @Sendable () async throws(StoreError) -> Void,
        then tell: @Sendable (Environment.Cut) -> BusMessage
    ) async -> Bool {
        guard await self.insist(what, { try await mark() }) else { return false }
        let local = self.environment.localNode()
        let number = self.ledger.open(what, begun: begun, local: local)
        var message = tell(
            Environment.Cut(
                sockets: { cut in if let number { self.ledger.note(number, from: local, cut: cut) } },
                links: { if let number { self.ledger.noteLinks(number, from: local) } }))
        if let number { message.source = RevocationReport.source(number) }
        var targets: [NodeRecord] = []
        let isListed = await self.insist(what) {
            let reading = try await self.environment.nodes()
            guard reading.isComplete else {
                throw StoreError(.unavailable, operation: "nodes.list", message: "a shard did not answer")
            }
            targets = reading.records.filter { $0.id != local && $0.state < .claimed }
        }
        guard isListed else { return false }
        if let number { self.ledger.expect(targets.map(\.id), for: number) }
        return await self.insist(what) {
            let failed = await self.publish(message, number, to: targets)
            targets = failed.map(\.target)
            if let first = failed.first { throw first.error }
        }
    }

    /// Repeats a step until it succeeds, with pauses of 0.1 to 2 s.
    private func insist(_ what: RevocationLedger.Kind, _ step: () async throws -> Void) async -> Bool {
        var pause = Duration.milliseconds(100)
        while !Task.isCancelled {
            do {
                try await step()
                return true
            } catch {
                self.logger.warning(
                    "revocation is retried", metadata: ["kind": "\(what.rawValue)", "error": "\(error)"])
            }
            do { try await self.environment.sleep(pause) } catch { return false }
            pause = min(pause * 2, .seconds(2))
        }
        return false
    }

    /// - Returns: the targets that were not reached. A node that is gone needs nothing: it reads marked records (ND-2).
    private func publish(
        _ message: BusMessage, _ number: UInt64?, to targets: [NodeRecord]
    ) async -> [(target: NodeRecord, error: PublishError)] {
        guard !targets.isEmpty else { return [] }
        let tally = PublishTally(count: targets.count)
        for target in targets {
            self.environment.publish(message, target) { error in
                if let number, error == .targetGone {
                    self.ledger.note(number, from: target.id, cut: 0)
                    self.ledger.noteLinks(number, from: target.id)
                }
                tally.note(target, error)
            }
        }
        return await tally.outcome.value
    }
}

/// Collects what became of one message to several nodes.
private final class PublishTally: Sendable {
    typealias Failure = (target: NodeRecord, error: PublishError)

    let outcome = FirstAnswer<[Failure]>()
    private let progress: Mutex<(open: Int, failed: [Failure])>

    init(count: Int) {
        self.progress = Mutex((count, []))
    }

    func note(_ target: NodeRecord, _ error: PublishError?) {
        let failed = self.progress.withLock { progress -> [Failure]? in
            progress.open -= 1
            if let error, error != .targetGone { progress.failed.append((target, error)) }
            return progress.open == 0 ? progress.failed : nil
        }
        if let failed { self.outcome.offer(failed) }
    }
}
