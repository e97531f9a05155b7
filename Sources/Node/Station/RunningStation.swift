import Logging
import NIOCore
import NIOPosix
import Routing
import ServiceLifecycle
import Synchronization
import Wire

/// A station at work: everything that exists between its start and its end.
final class RunningStation: Sendable {
    let configuration: Configuration
    let logger: Logger
    let backend: Backend
    let live: LiveServer
    let life: ClusterLife
    let revocation: Revocation
    let authority: SessionAuthority
    let pipeline: ActionPipeline
    let tokens: TokenAuthority
    let ice: ICEServers
    let webhooks: Webhooks
    let domains: DomainConfigurations
    /// nil where the keys were made at start.
    let keyWatch: SigningKeyWatch?
    let controlKeys: ControlKeyring
    /// What the node has complained about.
    let problems: ProblemLog
    let feed = FiguresFeed()
    let idempotency: IdempotencyKeys
    let shardWatch = ShardWatch()
    /// Background work of sessions and actions.
    let background: WorkPool
    private let control: ControlListener
    private let group: MultiThreadedEventLoopGroup
    private let setup: [SetupHook]
    private let onStart: [@Sendable ([String]) -> Void]

    init(
        configuration: Configuration, logger: Logger, backend: Backend, live: LiveServer, life: ClusterLife,
        revocation: Revocation, authority: SessionAuthority, pipeline: ActionPipeline, tokens: TokenAuthority,
        ice: ICEServers, webhooks: Webhooks, domains: DomainConfigurations, keyWatch: SigningKeyWatch?,
        controlKeys: ControlKeyring, problems: ProblemLog,
        background: WorkPool,
        control: ControlListener,
        group: MultiThreadedEventLoopGroup, setup: [SetupHook], onStart: [@Sendable ([String]) -> Void]
    ) {
        self.configuration = configuration
        self.logger = logger
        self.backend = backend
        self.live = live
        self.life = life
        self.revocation = revocation
        self.authority = authority
        self.pipeline = pipeline
        self.tokens = tokens
        self.ice = ice
        self.webhooks = webhooks
        self.domains = domains
        self.keyWatch = keyWatch
        self.controlKeys = controlKeys
        self.problems = problems
        self.idempotency = IdempotencyKeys(
            store: backend.answers, window: configuration.controlAPI.idempotencyWindow, logger: logger)
        self.background = background
        self.control = control
        self.group = group
        self.setup = setup
        self.onStart = onStart
    }

    /// Runs until the graceful shutdown of the surrounding service group, or a failure. Ends everything it began.
    func run() async throws {
        var failure: (any Error)?
        do {
            try await self.work()
        } catch {
            failure = error
        }
        self.webhooks.close()
        await self.backend.shutdown()
        try await self.group.shutdownGracefully()
        if let failure { throw failure }
    }

    private func work() async throws {
        try await self.tokens.start()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.live.run() }
            group.addTask { await self.background.run() }
            group.addTask { await self.control.run() }
            group.addTask { await self.tendKeys() }
            group.addTask { await self.shardWatch.run { self.life.current?.committer } }
            do {
                // Before there is a lease that would have to be renewed meanwhile.
                try await cancelWhenGracefulShutdown { try await self.setup.runAll() }
                let first = try await self.life.open()
                // From here on other nodes tell of changes.
                try await self.readDomains()
                try await self.openListeners(first, &group)
                // Whichever comes first: the order to stop, or the end of the cluster life.
                try await group.next()
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    /// Reads keys again, those that sign and those of token issuers; and gives up on reports of revocations.
    private func tendKeys() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.tokens.run() }
            group.addTask { await self.ice.run() }
            group.addTask { await self.webhooks.run() }
            group.addTask { await self.domains.run() }
            if let watch = self.keyWatch { group.addTask { await watch.run() } }
            group.addTask { await self.controlKeys.run() }
            group.addTask {
                while !Task.isCancelled {
                    self.revocation.ledger.expire()
                    do { try await Task.sleep(for: .seconds(5)) } catch { return }
                }
            }
        }
    }

    private func readDomains() async throws {
        do {
            try await self.domains.start()
        } catch {
            throw StartError(
                "cannot read the configurations of domains", why: "\(error)", remedy: "Check that MongoDB is well.")
        }
    }

    private func openListeners(_ first: LifeStart, _ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        let control = try await self.control.listen(on: self.group)
        let listener = try await self.live.listen(self.configuration.listener, group: self.group)
        let doors = [listener, await self.listenOnIPv6(besides: listener)].compactMap(\.self)
        group.addTask {
            do {
                try await self.life.run(startingWith: first)
            } catch {
                try await Self.close(doors + [control])
                throw error
            }
        }
        self.live.setOpen(true)
        let lines = self.startLines(listener: listener, control: control, first)
        for body in self.onStart { body(lines) }
        group.addTask {
            try await gracefulShutdown()
            self.logger.notice("draining")
            // A session that polls may come with a new connection each time. A proxy that cannot tell it from a new client
            // must find a closed door: it would ask here for sessions that it had opened elsewhere.
            if !self.configuration.live.transport.namesNode { try await Self.close(doors) }
            await self.life.drain()
            try await Self.close(doors + [control])
        }
    }

    /// Before their loops end. May be repeated.
    private static func close(_ channels: [any Channel]) async throws {
        for channel in channels { channel.close(promise: nil) }
        for channel in channels { try await channel.closeFuture.get() }
    }

    /// The official suites resolve `localhost`, which may be either loopback (SOCKETIO §16).
    private func listenOnIPv6(besides listener: any Channel) async -> (any Channel)? {
        guard self.configuration.mode == .conformance, self.configuration.listener.host == "127.0.0.1",
            let port = listener.localAddress?.port
        else { return nil }
        do {
            return try await self.live.listen(.init(host: "::1", port: port), group: self.group)
        } catch {
            self.logger.notice("not on the IPv6 loopback", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func startLines(listener: any Channel, control: any Channel, _ first: LifeStart) -> [String] {
        var lines: [String] = []
        if self.configuration.isDevelopment {
            lines.append("WARNING: development mode: identities are believed, so keep it on loopback")
        }
        lines.append("node \(first.node.id)\(self.configuration.name.map { " (\($0))" } ?? "")")
        lines += self.backend.findings
        lines += first.findings
        lines.append(
            "clients: http://\(listener.localAddress.map(Self.text) ?? "?")\(self.configuration.live.transport.path)")
        if self.configuration.mode == .development {
            lines.append("demo:    http://\(listener.localAddress.map(Self.text) ?? "?")/demo/")
        }
        lines.append("dashboard: http://\(control.localAddress.map(Self.text) ?? "?")\(DashboardPages.prefix)")
        lines.append("control: http://\(control.localAddress.map(Self.text) ?? "?")/metrics")
        lines.append("ready")
        return lines
    }

    private static func text(_ address: SocketAddress) -> String {
        let host = address.ipAddress ?? "?"
        return "\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
    }

    // MARK: What applications ask

    /// - Throws: ``StationError``.
    func key(domain: String?, user: String) throws(StationError) -> RouteKey {
        guard Identifier.isValid(user) else { throw .invalidIdentifier(user) }
        return RouteKey(domain: try self.domain(domain), user: user)
    }

    /// The canonical form of a domain that an application names; the configured one where it names none.
    func domain(_ domain: String?) throws(StationError) -> String {
        if let domain {
            guard let found = self.configuration.canonicalDomain(domain) else { throw .unknownDomain(domain) }
            return found
        }
        guard let only = self.configuration.defaultDomain else { throw .domainMissing }
        return only
    }

    func send(
        _ packet: OutboundPacket, to key: RouteKey, client: String?, _ delivery: EventDelivery,
        _ confirm: SendConfirmation = .none, trace isTraced: Bool = false, in span: TraceSpan? = nil
    ) async throws(StationError) -> Receipt {
        guard let node = self.life.current else { throw .unavailable("this node has no lease at the moment") }
        let trace = node.dispatcher.beginTrace(isAsked: isTraced, in: span)
        if case .within(let timeout) = confirm {
            return try await self.live.sendConfirmed(packet, to: key, client, delivery, trace, timeout, on: node)
        }
        let receipt = await withCheckedContinuation { continuation in
            node.dispatcher.send(packet, to: key, client: client, mode: delivery.mode, trace: trace) {
                continuation.resume(returning: $0)
            }
        }
        return Receipt(receipt, trace)
    }

    func isActive(_ key: RouteKey, client: String?) async throws(StationError) -> Bool {
        guard let node = self.life.current else { throw .unavailable("this node has no lease at the moment") }
        let shard = self.backend.routes.shard(of: key)
        let document: RouteDocument?
        do {
            document = try await self.backend.routes.read([key], shard: shard)[key]
        } catch {
            throw .unavailable("\(error)")
        }
        let claimed = node.view.claimedNodes
        return document?.live.contains { connection in
            (client == nil || connection.client == client) && !claimed.contains(connection.node)
        } ?? false
    }
}
