import Logging
import Metrics
import NIOCore
import Routing
import Wire

/// The Links of one incarnation: opens and closes them, tells their parties, and passes on what these say to each other (SPEC
/// §7). Carries out ``LinkOpening`` and ``LinkClosing`` over the stores.
///
/// Telling is in `LinkBroker+Rosters.swift`, signalling in `LinkBroker+Signals.swift`.
final class LinkBroker: Sendable {
    /// What of the node around it a broker needs.
    struct Surroundings: Sendable {
        var node: NodeID
        var routes: any RouteStore
        var membership: Membership
        var committer: RouteCommitter
        var index: ConnectionIndex
        var work: WorkPool
        var messenger: NodeMessenger
        /// Whether connections may move to another node with their SID.
        var recovers: Bool
        /// A user has as many Links as it may have.
        var isFull: @Sendable () -> Void
    }

    let service: LinkService
    let around: Surroundings
    let cache = LinkCache()
    let arrivals = LinkArrivals()
    let closings = LinkClosings()

    init(_ service: LinkService, _ around: Surroundings) {
        self.service = service
        self.around = around
    }

    var metrics: LinkMetrics { self.service.metrics }

    private var clock: @Sendable () -> Int64 {
        let membership = self.around.membership
        return { membership.clusterTime }
    }

    // MARK: Opening

    /// Opens or reuses the Link, and tells both parties.
    /// - Parameter answer: called once, before anybody is told.
    func open(
        _ request: LinkOpening.Request, answer: @escaping @Sendable (Result<LinkRecord, LinkError>) async -> Void
    ) async {
        var isAnswered = false
        do throws(StoreError) {
            var opening = LinkOpening(key: try await self.key(for: request), request: request, now: self.clock)
            var action = opening.begin()
            while true {
                switch action {
                case .readRoutes:
                    let routes = try await self.routes([request.requesterKey, request.targetKey])
                    action = opening.routesRead(
                        requester: self.isLive(request.requester, in: routes[request.requesterKey]),
                        target: self.isLive(request.target, in: routes[request.targetKey]))
                case .readRecord(let isLatest):
                    action = opening.recordRead(try await self.find(opening.key, isLatest: isLatest))
                case .write(let write):
                    let isWritten = try await self.write(write)
                    if isWritten, write.new.state == .open, write.expected?.state == .opening {
                        self.metrics.established.increment()
                    }
                    action = opening.written(isWritten)
                case .link(let key, let hint): action = opening.linked(try await self.link(hint, key))
                case .unlink(let keys, let link, let generation):
                    await self.unlink(keys, link, through: generation)
                    action = opening.unlinked()
                case .tell(let record):
                    if record.state != .closed, !isAnswered {
                        isAnswered = true
                        await answer(.success(record))
                    }
                    await self.tell(record.state == .closed ? .closed(record) : .opened(record))
                    action = opening.told()
                case .finish(let result):
                    if !isAnswered { await answer(result.mapError { LinkError($0) }) }
                    return
                }
            }
        } catch {
            self.failed(error)
            if !isAnswered { await answer(.failure(.busy)) }
        }
    }

    /// The key that an open Link has, if there is one; else that of the key that signs.
    private func key(for request: LinkOpening.Request) async throws(StoreError) -> LinkKey {
        let keys = self.service.keyring.keys(domain: request.domain, request.requester, request.target)
        for key in keys.dropFirst() {
            if let record = try await self.service.store.find(key), record.state != .closed { return key }
        }
        return keys[0]
    }

    private func isLive(_ party: LinkParty, in route: RouteDocument?) -> Bool {
        let claimed = self.around.membership.claimedNodes
        return route?.live.contains { party.has($0) && !claimed.contains($0.node) } ?? false
    }

    /// What nobody knows is found out by reading it again.
    private func write(_ write: LinkWrite) async throws(StoreError) -> Bool {
        do {
            return try await self.service.store.write(write)
        } catch  where error.code == .unknownOutcome {
            return false
        }
    }

    private func link(_ hint: LinkHint, _ key: RouteKey) async throws(StoreError) -> LinkOpening.Linked {
        switch await self.around.committer.perform(.link(hint), key: key) {
        case .success(.linked(isLive: true)): return .live
        case .failure(.limit):
            self.around.isFull()
            return .full
        case .failure(.refused(let error)): throw error
        case .failure(.closed), .failure(.busy), .failure(.deadline), .failure(.cancelled):
            throw StoreError(.unavailable, operation: "links.hint", message: "this node writes no routes any more")
        case .success: return .absent
        }
    }

    func unlink(_ keys: [RouteKey], _ link: LinkKey, through generation: Int64) async {
        for key in keys { _ = await self.around.committer.perform(.unlink(link, through: generation), key: key) }
    }

    // MARK: Closing

    /// Closes the Link that is meant, and tells both parties.
    /// - Returns: whether there was one.
    func close(
        _ key: LinkKey, _ target: LinkClosing.Target, reason: LinkCloseReason
    ) async -> Result<Bool, LinkError> {
        var closing = LinkClosing(key: key, target, reason: reason, now: self.clock)
        do throws(StoreError) {
            var action = closing.begin()
            while true {
                switch action {
                case .readRecord(let isLatest):
                    action = closing.recordRead(try await self.find(key, isLatest: isLatest))
                case .write(let write):
                    let isWritten = try await self.write(write)
                    if isWritten, write.expected?.state == .open { self.metrics.closed(reason.name) }
                    action = closing.written(isWritten)
                case .unlink(let keys, let generation):
                    await self.unlink(keys, key, through: generation)
                    action = closing.unlinked()
                case .finish(.closed(let record)):
                    await self.tell(.closed(record))
                    return .success(true)
                case .finish(.none): return .success(false)
                case .finish(.busy): return .failure(.busy)
                }
            }
        } catch {
            // The hint has a deadline, where its party has gone: then it comes again.
            self.failed(error)
            return .failure(.busy)
        }
    }

    /// Closes the Link of this token for a connection of one of its parties.
    func close(_ token: LinkToken, by identity: ConnectionIdentity) async -> Result<Void, LinkError> {
        do throws(StoreError) {
            let record = try await self.service.store.find(token.key)
            guard let record, !record.sides(of: identity).isEmpty else { return .failure(.forbidden) }
            guard record.token == token, record.state != .closed else { return .failure(.closed) }
        } catch {
            self.failed(error)
            return .failure(.busy)
        }
        return await self.close(token.key, .token(token), reason: .closed).flatMap {
            $0 ? .success(()) : .failure(.closed)
        }
    }

    /// Links that a route's commit says are to be closed by this node.
    func close(_ hints: [LinkHint], of route: RouteKey) {
        for hint in hints {
            self.closings.begin(route)
            // Else its deadline comes again.
            let isQueued = self.around.work.submit {
                defer { self.closings.end(route) }
                for pause in [1, 2, 4, 8, 0] {
                    guard
                        case .failure = await self.close(hint.key, .hint(route, hint), reason: hint.reason ?? .offline)
                    else { return }
                    do { try await Task.sleep(for: .seconds(pause)) } catch { return }
                }
            }
            if !isQueued { self.closings.end(route) }
        }
    }

    /// Closes every Link of the user, or of the party of one of its clients (SPEC LK-14).
    /// - Returns: how many there were.
    func closeAll(_ route: RouteKey, client: String?) async throws(StoreError) -> Int {
        let hints = try await self.routes([route])[route]?.links ?? []
        var count = 0
        for hint in hints where client == nil || hint.client == client {
            switch await self.close(hint.key, .hint(route, hint), reason: .closed) {
            case .success(let wasOpen): if wasOpen { count += 1 }
            case .failure:
                throw StoreError(.unavailable, operation: "links.close", message: "a link could not be closed")
            }
        }
        return count
    }

    // MARK: Reading

    /// A node that hears nothing of the others trusts no cache.
    func look(_ key: LinkKey, for user: RouteKey) -> LinkCache.Look {
        let isTrusted =
            self.around.membership.standing.mayUseSessionCache && !self.around.messenger.adapter.health.isDegraded
        return self.cache.look(key, for: user, isTrusted: isTrusted)
    }

    func find(_ key: LinkKey, isLatest: Bool) async throws(StoreError) -> LinkRecord? {
        isLatest ? try await self.service.store.findLatest(key) : try await self.service.store.find(key)
    }

    /// From the primary, shard by shard.
    func routes(_ keys: some Sequence<RouteKey>) async throws(StoreError) -> [RouteKey: RouteDocument] {
        var found: [RouteKey: RouteDocument] = [:]
        for (shard, keys) in Dictionary(grouping: Set(keys), by: { self.around.routes.shard(of: $0) }) {
            found.merge(try await self.around.routes.read(keys.sorted(), shard: shard)) { $1 }
        }
        return found
    }

    func failed(_ error: StoreError) {
        self.metrics.failures.increment()
        self.service.logger.warning("a link could not be worked on", metadata: ["error": "\(error)"])
    }
}
