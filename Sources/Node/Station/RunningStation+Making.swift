import Logging
import NIOCore
import NIOPosix
import Routing
import Synchronization
import Wire

extension RunningStation {
    /// Puts the parts together; opens nothing yet but the database.
    static func make(
        _ configuration: Configuration, _ registrations: Station.Registrations, logger: Logger
    ) async throws -> RunningStation {
        let keys = SigningKeyring(try configuration.loadKeys())
        let controlKeys = try configuration.controlKeyring(logger: logger)
        if let complaint = registrations.templates?.complaint {
            throw StartError("cannot use the templates", why: complaint, remedy: "Mend them.")
        }
        let log = try configuration.presenceLog.map { try PresenceLog(path: $0) }
        let window = Int64(configuration.live.recoveryWindow)
        let backend: Backend
        if let mongo = configuration.mongo {
            backend = try await Backend.mongo(mongo, recovery: window > 0, logger: logger)
        } else {
            backend = .memory(recovery: window > 0)
        }
        let sessionOptions = configuration.sessionOptions
        let background = WorkPool(name: "background", limit: configuration.live.runningHandlers)
        // The live server, the cluster life and the revocations need each other: this is where they meet.
        let knot = Knot()
        let cache = SessionCache(sessionOptions) { knot.life?.current?.mayUseSessionCache ?? false }
        let revocation = Revocation(
            store: backend.sessions, cache: cache, options: sessionOptions,
            environment: Revocation.Environment(
                nodes: { () throws(StoreError) in try await backend.registry.list() },
                publish: { message, target, completion in
                    guard let node = knot.life?.current else { return completion(.closed) }
                    node.adapter.publish(message, to: target, completion: completion)
                },
                localNode: { knot.life?.current?.id ?? NodeID(high: 0, low: 0) },
                invalidate: { knot.invalidate($0, $1) }, kick: { knot.kick($0, $1) },
                forget: { knot.forget(domain: $0, user: $1, client: $2, $3) }, submit: { background.submit($0) }),
            logger: logger)
        let now: @Sendable () -> Int64 = {
            knot.life?.current?.view.clusterTime ?? SystemClusterClock().wallTime()
        }
        let authority = SessionAuthority(
            store: backend.sessions, cache: cache, keys: keys, options: sessionOptions, revocation: revocation,
            now: now, submit: { background.submit($0) }, logger: logger)
        let tickets = SessionTickets(store: backend.tickets, options: sessionOptions, now: now, logger: logger)
        let trust = try configuration.outboundTrust()
        let tokens = TokenAuthority(
            try configuration.issuers(), hook: registrations.tokenHook, reader: TokenKeyReader(trusting: trust),
            now: now, logger: logger)
        let router = try self.router([SessionEndpoint.action(tickets)] + registrations.actions)
        let actionTally = ActionTally(DomainSlots(configuration.servedDomains))
        let policy = OutboundPolicy(
            allowing: .blocks(configuration.webhookPrivateTargets.compactMap { IPAddress.Block($0) }), trusting: trust)
        let webhooks = try self.webhooks(
            configuration, router, policy, now: now, submit: { background.submit($0) }, logger)
        let domainConfigurations = DomainConfigurations(
            store: backend.domains, webhooks: webhooks, own: self.ownWebhooks(configuration), policy: policy,
            refresh: configuration.signingKeyRefresh,
            DomainSurroundings(
                nodes: { () throws(StoreError) in try await backend.registry.list() },
                publish: { knot.publish($0, to: $1, logger) }, localNode: { knot.life?.current?.id },
                submit: { background.submit($0) }, now: now), logger: logger)
        let pipeline = ActionPipeline(
            router: { webhooks.router(for: $0) }, options: sessionOptions, templates: registrations.templates,
            tally: actionTally,
            submit: { background.submit($0) }, logger: logger)
        let ice = try ICEServers(
            configuration.ice, refresh: configuration.signingKeyRefresh, now: now, logger: logger)
        let domains = try configuration.domainTable()
        let proxies = try configuration.proxyTrust()
        let responder = ActionResponder(
            domains: domains, proxies: proxies, authority: authority, pipeline: pipeline,
            tokens: tokens,
            pages: [.openAPI(router.actions, sessionOptions, takesTokens: !configuration.tokenIssuers.isEmpty)]
                + (configuration.servesDemo ? [.demo()] : []) + registrations.pages + [.clientModule()],
            crossOrigin: ActionCrossOrigin(configuration.http), rate: ActionRate(configuration.live.limits),
            bodyTimeout: .milliseconds(Int64(configuration.live.limits.actionBodyTimeout * 1000)),
            isLeaving: { knot.life?.isLeaving ?? false })
        let isActive: SessionGuard.Reader = { hash, domain in try await authority.holdsSockets(hash, in: domain) }
        var namespaces = registrations.namespaces
        if !configuration.tokenIssuers.isEmpty {
            namespaces["/", default: NamespaceApplication()].events.set(TokenEvent.name, TokenEvent.handler(tokens))
        }
        let live = LiveServer(
            LiveServer.Setup(
                options: configuration.live,
                recovery: backend.recoveryLog.map { LiveRecovery(window: window, log: $0) },
                graces: configuration.graces,
                gate: HandshakeGate(
                    domains: domains, proxies: proxies,
                    crossOrigin: CrossOrigin(configuration.live.transport.crossOrigin),
                    sessionCookie: SessionCookies(sessionOptions).session),
                mode: configuration.mode, nodeName: configuration.name,
                namespaces: namespaces.mapValues { InstalledNamespace($0) },
                patterns: registrations.patterns.map {
                    NamespacePattern(
                        accepts: $0.accepts, installed: InstalledNamespace($0.application, isDynamic: true))
                },
                identifier: self.identifier(authority, tokens, logger), isSessionActive: isActive,
                actions: self.socketActions(configuration, pipeline, tickets, authority, logger), ice: ice,
                links: configuration.mode == .conformance
                    ? nil
                    : LinkService(
                        store: backend.links, keyring: LinkKeyring(keys: keys),
                        hook: self.peerRequest(webhooks, registrations.peerRequest),
                        limits: configuration.live.limits.ofLinks, logger: logger),
                watchSession: { try await authority.hold(of: $0, in: $1) },
                sessionCheck: sessionOptions.activityResolution, wallTime: now,
                takesTokens: !configuration.tokenIssuers.isEmpty,
                liveConnection: self.liveConnectionHook(registrations.liveConnection, webhooks, logger),
                allowRequest: registrations.allowRequest,
                responder: responder.handle, actionTally: actionTally, logger: logger))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.loopCount)
        let (index, rooms) = try await live.start(on: group)
        let sessions = SessionGuard(live: live, work: background, logger: logger)
        let life = ClusterLife(
            ClusterLife.Setup(
                backend: backend, live: live, index: index, rooms: rooms, options: configuration.incarnationOptions,
                name: configuration.name, address: configuration.address,
                pendingConnects: configuration.live.pendingConnects,
                connectTarget: configuration.live.connectTarget > 0 ? configuration.live.connectTarget : nil,
                pace: .init(configuration.live),
                traceRate: configuration.mongo?.traceRate ?? 0,
                postings: PostingService(configuration, backend, logger: logger),
                presence: PresenceHandlers(
                    handlers: registrations.presence, webhooks: webhooks, log: log, logger: logger), cache: cache,
                revocations: { knot.apply($0, from: $1, revocation, logger) }, domains: domainConfigurations,
                recheck: { sessions.recheckAll(isActive: isActive) }, logger: logger))
        knot.tie(life: life, sessions: sessions, isActive: isActive)
        let reference = Reference()
        let control = try self.controlListener(
            configuration, keyring: controlKeys, metrics: registrations.metrics, submit: { background.submit($0) },
            station: reference, logger: logger
        ) { knot.life?.current?.unreadiness ?? ["no incarnation: this node has no lease"] }
        let station = RunningStation(
            configuration: configuration, logger: logger, backend: backend, live: live, life: life,
            revocation: revocation, authority: authority, pipeline: pipeline, tokens: tokens, ice: ice,
            webhooks: webhooks, domains: domainConfigurations,
            keyWatch: configuration.keyWatch(keys, logger: logger) { sessions.forget(keys: $0) },
            controlKeys: controlKeys, problems: registrations.problems, background: background, control: control,
            group: group,
            setup: registrations.setup, onStart: registrations.onStart)
        reference.set(station)
        return station
    }

    static func router(_ actions: [Action]) throws -> ActionRouter {
        do {
            return try ActionRouter(actions)
        } catch {
            throw StartError("cannot register an action", why: "\(error)", remedy: "Mend its path or its options.")
        }
    }

    /// Who a socket belongs to, by its session (SPEC ID-18, LC-5).
    private static func identifier(
        _ authority: SessionAuthority, _ tokens: TokenAuthority, _ logger: Logger
    ) -> SocketIdentifier {
        { handshake, auth in
            let bearer = auth.token.flatMap { SessionSecret.isMeant(by: $0) ? $0 : nil }
            if bearer == nil, let text = auth.token, tokens.takes(handshake.domain) {
                do throws(TokenRefusal) {
                    let token = try await tokens.verify(text, in: handshake.domain)
                    return .known(ConnectionIdentity(token, isDomestic: handshake.origin != .foreign))
                } catch {
                    return error == .unavailable ? .unavailable : .refused
                }
            }
            do {
                let agent = try await authority.agent(
                    handshake.headers,
                    SessionAuthority.Presented(
                        domain: handshake.domain, source: handshake.source, origin: handshake.origin,
                        socketProof: auth.domestic, bearer: bearer))
                if bearer != nil, !agent.isActive { return .refused }
                if agent.isIdle { return .idle }
                guard agent.isActive, let record = agent.session else { return .guest }
                return .known(
                    ConnectionIdentity(
                        domain: record.domain, user: record.user, client: record.client,
                        session: .init(hash: record.hash, chain: record.chain), isDomestic: agent.isDomestic,
                        warrant: authority.warrant(of: record), domesticKey: agent.domesticKey))
            } catch {
                logger.warning("a socket's session could not be read", metadata: ["error": "\(error)"])
                return .unavailable
            }
        }
    }

    /// Holds what is made last for what was made first.
    private final class Knot: Sendable {
        private struct Ends {
            var life: ClusterLife?
            var sessions: SessionGuard?
            var isActive: SessionGuard.Reader?
        }

        private let ends = Mutex(Ends())
        private let refusals = MessageRefusals()

        var life: ClusterLife? { self.ends.withLock(\.life) }

        func tie(life: ClusterLife, sessions: SessionGuard, isActive: @escaping SessionGuard.Reader) {
            self.ends.withLock { $0 = Ends(life: life, sessions: sessions, isActive: isActive) }
        }

        func invalidate(_ invalidation: Invalidation, _ done: RevocationCut) {
            let ends = self.ends.withLock(\.self)
            guard let sessions = ends.sessions, let isActive = ends.isActive else { return done.nothing() }
            sessions.invalidate(invalidation, isActive: isActive, done: done)
        }

        func kick(_ kick: Kick, _ done: RevocationCut) {
            guard let sessions = self.ends.withLock(\.sessions) else { return done.nothing() }
            sessions.kick(kick, done: done)
        }

        /// Nobody comes back as a connection of theirs that was lost, and nobody is waited for.
        func forget(domain: String, user: String, client: String?, _ reason: LogoutReason) {
            guard let life = self.life, life.remembersTheLost, let node = life.current else { return }
            node.committer.submit(
                .forget(client: client, links: LinkCloseReason(reason)), key: RouteKey(domain: domain, user: user)
            ) { _ in }
        }

        /// One of several nodes that are told something which they find out by themselves, too.
        func publish(_ message: BusMessage, to target: NodeRecord, _ logger: Logger) {
            guard let node = self.life?.current else { return }
            node.adapter.publish(message, to: target) { error in
                guard let error, error != .targetGone else { return }
                logger.notice(
                    "another node was not told of a change", metadata: ["node": "\(target.id)", "error": "\(error)"])
            }
        }

        /// A message of another node.
        func apply(
            _ message: BusMessage, from sender: NodeID, _ revocation: Revocation, _ logger: Logger
        ) {
            /// To the node that decided. Where that fails it counts a missing report.
            @Sendable func report(cut: Int, isOfLinks: Bool) {
                guard let number = RevocationReport.number(in: message.source) else { return }
                let report = RevocationReport(number: number, cut: cut, isOfLinks: isOfLinks)
                self.life?.current?.publish(report.message, to: sender)
            }
            let done = RevocationCut(
                sockets: { report(cut: $0, isOfLinks: false) }, links: { report(cut: 0, isOfLinks: true) })
            do throws(PeerMessageError) {
                switch message.kind {
                case .kick: self.kick(try Kick(message), done)
                case .invalidate: revocation.apply(try Invalidation(message), done)
                case .ack:
                    let report = try RevocationReport(message)
                    if report.isOfLinks {
                        revocation.ledger.noteLinks(report.number, from: sender)
                    } else {
                        revocation.ledger.note(report.number, from: sender, cut: report.cut)
                    }
                case .event, .peer, .roster, .room, .link, .config, .probe: break
                }
            } catch {
                self.refusals.count(error, in: message.kind, logger)
            }
        }
    }

    // MARK: For the demo

    var nodeName: String { self.configuration.name ?? self.life.current?.id.text ?? "?" }

    /// The nodes that have an address, this one among them, by name.
    func neighbours() async -> [(name: String, url: String)] {
        await self.knownNodes().compactMap { record in record.address.map { (record.name ?? record.id.text, $0) } }
            .sorted { $0.0 < $1.0 }
    }

    /// Users with a connection on any node. Reads every shard: not for hot paths.
    func onlineUsers(limit: Int) async throws(StoreError) -> [String] {
        var users: Set<String> = []
        for record in await self.knownNodes() {
            for key in try await self.backend.routes.keys(of: record.id, limit: limit) where users.count < limit {
                users.insert(key.user)
            }
        }
        return users.sorted()
    }

    /// From the registry itself: the directory may be 2 s behind a node that has just come. Where a shard does not answer,
    /// the directory is the next best.
    func knownNodes() async -> [NodeRecord] {
        guard let membership = self.life.current?.incarnation.membership else { return [] }
        do {
            return try await membership.freshNodes()
        } catch {
            self.logger.warning("the nodes could not be read", metadata: ["error": "\(error)"])
            return membership.snapshot.records.values.filter { $0.state < .claimed }
        }
    }
}
