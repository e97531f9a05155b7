import Routing
import Synchronization
import Wire

/// The Links of a simulated node: requests, closings, and what is told, by the production machines.
extension RoutingSimulatedNode {
    private var clusterClock: @Sendable () -> Int64 {
        let time = self.clusterTime
        return { time }
    }

    // MARK: Opening

    func request(_ socket: Socket, _ user: String, _ client: String?) {
        let number = self.simulation.newID()
        self.simulation.trace(
            "\(RoutingSimulation.name(self.id)) links \(socket.key.user) \(socket.connection.client) to \(user) "
                + "\(client ?? "all")")
        let request = LinkOpening.Request(
            domain: socket.key.domain,
            requester: LinkParty(user: socket.key.user, client: client == nil ? nil : socket.connection.client),
            target: LinkParty(user: user, client: client), info: "{}", query: "\(number)")
        guard let key = self.simulation.links?.key(request.requester, request.target) else { return }
        self.simulation.links?.requests[number] = self.id
        let attempts = Attempts()
        var opening = LinkOpening(key: key, request: request, now: self.clusterClock) { key in
            // Another one with each attempt.
            LinkToken(key: key, high: attempts.next(), low: number)
        }
        let first = opening.begin()
        self.perform { self.carryOut(Run(opening), first, number) }
    }

    private final class Attempts: Sendable {
        private let count = Atomic<UInt64>(0)

        func next() -> UInt64 { self.count.add(1, ordering: .relaxed).newValue }
    }

    /// A value machine that answers come back to.
    final class Run<Machine> {
        var machine: Machine
        var isAnswered = false

        init(_ machine: Machine) { self.machine = machine }
    }

    private func answer(_ run: Run<LinkOpening>, _ number: UInt64) {
        guard !run.isAnswered else { return }
        run.isAnswered = true
        self.simulation.links?.answers[number, default: 0] += 1
    }

    private func carryOut(_ run: Run<LinkOpening>, _ action: LinkOpening.Action, _ number: UInt64) {
        func go(_ event: (inout LinkOpening) -> LinkOpening.Action) {
            let next = event(&run.machine)
            self.carryOut(run, next, number)
        }
        switch action {
        case .readRoutes:
            let request = run.machine.request
            self.readRoutes([request.requesterKey, request.targetKey]) { routes in
                guard let routes else { return self.answer(run, number) }
                let requester = self.isLive(request.requester, routes[request.requesterKey])
                let target = self.isLive(request.target, routes[request.targetKey])
                go { $0.routesRead(requester: requester, target: target) }
            }
        case .readRecord(let isLatest):
            self.readRecord(run.machine.key, isLatest: isLatest) { result in
                guard case .success(let record) = result else { return self.answer(run, number) }
                go { $0.recordRead(record) }
            }
        case .write(let write):
            self.write(write) { isWritten in
                guard let isWritten else { return self.answer(run, number) }
                go { $0.written(isWritten) }
            }
        case .link(let key, let hint):
            self.submit(.link(hint), key: key) { result in
                switch result {
                case .success(.linked(isLive: true)): go { $0.linked(.live) }
                case .success: go { $0.linked(.absent) }
                case .failure(.limit): go { $0.linked(.full) }
                case .failure: self.answer(run, number)
                }
            }
        case .unlink(let keys, let link, let generation):
            self.unlink(keys, link, through: generation) { go { $0.unlinked() } }
        case .tell(let record):
            if record.state != .closed { self.answer(run, number) }
            self.tell(record.state == .closed ? .closed(record) : .opened(record)) { go { $0.told() } }
        case .finish: self.answer(run, number)
        }
    }

    private func isLive(_ party: LinkParty, _ route: RouteDocument?) -> Bool {
        let claimed = self.directory.snapshot.claimed
        return route?.live.contains { party.has($0) && !claimed.contains($0.node) } ?? false
    }

    // MARK: Closing

    func close(_ key: LinkKey, _ target: LinkClosing.Target, reason: LinkCloseReason) {
        var closing = LinkClosing(key: key, target, reason: reason, now: self.clusterClock)
        let first = closing.begin()
        self.perform { self.carryOut(Run(closing), first) }
    }

    private func carryOut(_ run: Run<LinkClosing>, _ action: LinkClosing.Action) {
        func go(_ event: (inout LinkClosing) -> LinkClosing.Action) {
            let next = event(&run.machine)
            self.carryOut(run, next)
        }
        switch action {
        case .readRecord(let isLatest):
            self.readRecord(run.machine.key, isLatest: isLatest) { result in
                if case .success(let record) = result { go { $0.recordRead(record) } }
            }
        case .write(let write): self.write(write) { if let isWritten = $0 { go { $0.written(isWritten) } } }
        case .unlink(let keys, let generation):
            self.unlink(keys, run.machine.key, through: generation) { go { $0.unlinked() } }
        case .finish(.closed(let record)): self.tell(.closed(record)) {}
        case .finish(.none), .finish(.busy): break
        }
    }

    /// About once in five seconds, all nodes together.
    func sweepLinks() {
        guard self.simulation.links != nil, self.standing.mayWriteRoutes, self.simulation.chance(4) else { return }
        let deadline = self.clusterTime - 10_000
        self.ask(.shard(0)) {
            (self.simulation.links?.records ?? [:]).values.filter { $0.state == .opening && $0.changed < deadline }
                .sorted { $0.key.text < $1.key.text }
        } answer: { result in
            for record in (try? result.get()) ?? [] { self.close(record.key, .abandoned(record), reason: .offline) }
        }
    }

    // MARK: Telling

    /// A route with Links was committed.
    func note(_ document: RouteDocument, _ changes: LinkChanges) {
        for connection in changes.arrivals where connection.node == self.id {
            self.arrivals[connection.socket] = document
        }
        for connection in changes.departures { self.arrivals[connection.socket] = nil }
        for hint in changes.closings {
            self.close(hint.key, .hint(document.key, hint), reason: hint.reason ?? .offline)
        }
        let gone = changes.departures.filter { old in
            !document.live.contains { $0.endpoint == old.endpoint && $0.client == old.client }
        }
        for hint in document.links where !gone.isEmpty && !changes.closings.contains(where: { $0.key == hint.key }) {
            let leavers = gone.filter { hint.client == nil || hint.client == $0.client }
            if !leavers.isEmpty { self.perform { self.tell(.left(leavers, document, hint)) {} } }
        }
    }

    /// A connection has come live.
    func joinLinks(_ socket: SocketID) {
        guard self.simulation.links != nil, let route = self.arrivals.removeValue(forKey: socket),
            let connection = route.live.first(where: { $0.socket == socket })
        else { return }
        for hint in route.links where hint.client == nil || hint.client == connection.client {
            self.tell(.joined([connection], route, hint)) {}
        }
    }

    private func tell(_ cause: LinkTelling.Cause, attempts: Int = 30, then: @escaping () -> Void) {
        var telling = LinkTelling(cause)
        let first = telling.begin()
        self.carryOut(Run(telling), first) { messages in
            if let messages {
                for message in messages { self.send(message) }
                then()
            } else if attempts > 1 {
                self.perform(at: self.simulation.now + Nanoseconds.seconds(2)) {
                    self.tell(cause, attempts: attempts - 1, then: then)
                }
            } else {
                then()
            }
        }
    }

    private func carryOut(
        _ run: Run<LinkTelling>, _ action: LinkTelling.Action, then: @escaping ([LinkMessage]?) -> Void
    ) {
        func go(_ event: (inout LinkTelling) -> LinkTelling.Action) {
            let next = event(&run.machine)
            self.carryOut(run, next, then: then)
        }
        switch action {
        case .readRecord(let key, let isLatest):
            self.readRecord(key, isLatest: isLatest) { result in
                guard case .success(let record) = result else { return then(nil) }
                go { $0.recordRead(record) }
            }
        case .readRoutes(let keys):
            // What a deposed primary does not know of is not told, as with sends (EV-1): not looked at here.
            self.readRoutes(keys, isLatest: true) { routes in
                guard let routes else { return then(nil) }
                go { $0.routesRead(routes, claimed: self.directory.snapshot.claimed) }
            }
        case .unlink(let route, let key, let generation):
            self.unlink([route], key, through: generation) { go { $0.unlinked() } }
        case .finish(let messages): then(messages)
        }
    }

    private func send(_ message: LinkMessage) {
        guard case .here(let recipients, let peers) = message.content else { return }
        for recipient in recipients {
            let delay = self.simulation.random(1...300) * 1_000_000
            guard let node = self.simulation.nodes.first(where: { $0.id == recipient.node }) else { continue }
            self.simulation.at(self.simulation.now + delay) {
                node.perform {
                    guard node.sockets.values.contains(where: { $0.socket == recipient.socket }) else { return }
                    for peer in peers where peer.endpoint != recipient.endpoint {
                        self.simulation.links?.told[message.record.token, default: []].insert(
                            .init(recipient: recipient.socket, peer: peer.socket))
                    }
                }
            }
        }
    }

    // MARK: Stores

    /// - Parameter then: gets nil when one of them could not be read.
    private func readRoutes(
        _ keys: [RouteKey], isLatest: Bool = false, then: @escaping ([RouteKey: RouteDocument]?) -> Void
    ) {
        var found: [RouteKey: RouteDocument] = [:]
        func next(_ keys: ArraySlice<RouteKey>) {
            guard let key = keys.first else { return then(found) }
            self.ask(
                .shard(self.simulation.shard(of: key)), effect: { self.simulation.documents[key] },
                stale: isLatest ? nil : { $0[key] }
            ) { result in
                guard case .success(let document) = result else { return then(nil) }
                found[key] = document
                next(keys.dropFirst())
            }
        }
        next(keys[...])
    }

    private func readRecord(
        _ key: LinkKey, isLatest: Bool, then: @escaping (Result<LinkRecord?, StoreError>) -> Void
    ) {
        let shard = RoutingSimulation.Resource.shard(self.simulation.shard(of: key))
        let simulation = self.simulation
        self.ask(
            shard, effect: { simulation.links?.records[key] },
            stale: isLatest ? nil : { _ in simulation.links?.stale[key] }, answer: then)
    }

    /// - Parameter then: gets nil when nothing was written for certain; false also when nobody knows.
    private func write(_ write: LinkWrite, then: @escaping (Bool?) -> Void) {
        self.ask(.shard(self.simulation.shard(of: write.new.key))) {
            self.simulation.apply(write)
        } answer: { result in
            switch result {
            case .success(let isWritten): then(isWritten)
            case .failure(let error): then(error.code == .unknownOutcome ? false : nil)
            }
        }
    }

    private func unlink(
        _ keys: [RouteKey], _ link: LinkKey, through generation: Int64, then: @escaping () -> Void
    ) {
        guard let key = keys.first else { return then() }
        self.submit(.unlink(link, through: generation), key: key) { _ in
            self.unlink(Array(keys.dropFirst()), link, through: generation, then: then)
        }
    }
}
