import DequeModule
import Metrics
import NIOCore
import Routing
import Wire

/// The Links of one connection: what it asks for, and what it says to others (SPEC LK-4, LK-9). Loop-bound; every `link` gets one
/// answer, and every `peer` that is not passed on gets one, unless its client has gone.
final class LinkDesk {
    private struct Request {
        let id: MessageID?
        let ackID: Int64?
        let timer: ScheduledOnLoop
    }

    private struct Signal {
        let packet: PeerPacket
        let token: LinkToken
        let to: SocketID
    }

    private typealias ScheduledOnLoop = Scheduled<Void>

    /// Invariant: a connection holds its desk and outlives it; whoever keeps a desk longer keeps the socket as well.
    private unowned let connection: LiveConnection
    private let service: LinkService
    private let broker: LinkBroker
    private let identity: ConnectionIdentity
    private var requests: [Int: Request] = [:]
    private var requestCount = 0
    private var waiting: Deque<Signal> = []
    private var waitingBytes = 0
    /// The first one that waits is being worked on elsewhere.
    private var isHeldUp = false
    private var isEnded = false

    init(_ connection: LiveConnection, _ service: LinkService, _ broker: LinkBroker, _ identity: ConnectionIdentity) {
        self.connection = connection
        self.service = service
        self.broker = broker
        self.identity = identity
    }

    private var server: LiveServer { self.connection.loop.server }
    private var eventLoop: any EventLoop { self.connection.loop.eventLoop }
    private var metrics: LinkMetrics { self.service.metrics }

    /// Runs `work` off the loop, then `then` on it, unless the connection has ended.
    /// - Returns: false when nothing of it will run.
    private func away<Value: Sendable>(
        _ work: @escaping @Sendable () async -> Value, then: @escaping @Sendable (LinkDesk, Value) -> Void
    ) -> Bool {
        let desk = NIOLoopBound(self, eventLoop: self.eventLoop)
        let socket = LoopSocket(self.connection)
        return self.server.work.submit {
            let value = await work()
            socket.onLoop { _ in if !desk.value.isEnded { then(desk.value, value) } }
        }
    }

    // MARK: link

    func takeLink(_ packet: LinkPacket, ackID: Int64?) {
        guard self.requests.count < self.service.limits.pendingRequests else {
            self.server.metrics.hit(.pendingLinks)
            return self.refuse(.busy, id: packet.id, ackID: ackID)
        }
        self.requestCount += 1
        let number = self.requestCount
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        let socket = LoopSocket(self.connection)
        let timer = self.eventLoop.scheduleTask(in: self.service.limits.requestTimeout) {
            socket.onLoop { _ in bound.value.answer(number, .failure(.timeout)) }
        }
        self.requests[number] = Request(id: packet.id, ackID: ackID, timer: timer)
        switch packet.request {
        case .open(let query): self.decide(number, query)
        case .close(let token): self.close(number, token)
        }
    }

    private func decide(_ number: Int, _ query: JSONValue) {
        let (service, identity) = (self.service, self.identity)
        let handshake = self.connection.session.handshake
        let agent = Agent(
            domain: identity.domain, user: identity.user, client: identity.client, isDomestic: identity.isDomestic,
            address: handshake.source.address, userAgent: handshake.headers.single("user-agent"))
        let isQueued = self.away {
            let result: Result<LinkOpening.Request, LinkError>
            do throws(LinkError) {
                result = .success(try await service.decide(agent, identity, query))
            } catch {
                result = .failure(error)
            }
            return result
        } then: { desk, result in
            // Nobody waits for a decision that comes too late.
            guard desk.requests[number] != nil else { return }
            switch result {
            case .success(let request): desk.open(number, request)
            case .failure(let error): desk.answer(number, .failure(error))
            }
        }
        if !isQueued { self.answer(number, .failure(.busy)) }
    }

    private func open(_ number: Int, _ request: LinkOpening.Request) {
        let broker = self.broker
        let desk = NIOLoopBound(self, eventLoop: self.eventLoop)
        let socket = LoopSocket(self.connection)
        let isQueued = self.server.work.submit {
            await broker.open(request) { result in
                // The answer first: rosters are of a Link that the client knows.
                await withCheckedContinuation { told in
                    socket.onLoop { _ in
                        desk.value.answer(number, result.map { Self.fields($0, label: request.query) })
                        told.resume()
                    }
                }
            }
        }
        if !isQueued { self.answer(number, .failure(.busy)) }
    }

    private static func fields(_ record: LinkRecord, label: String) -> String {
        "\"token\":\"\(record.token.text)\",\"gen\":\(record.generation),\"query\":\(label)"
    }

    private func close(_ number: Int, _ token: String) {
        guard let token = LinkToken(token) else { return self.answer(number, .failure(.forbidden)) }
        let (broker, identity) = (self.broker, self.identity)
        let isQueued = self.away {
            await broker.close(token, by: identity)
        } then: { desk, result in
            desk.answer(number, result.map { "\"closed\":true" })
        }
        if !isQueued { self.answer(number, .failure(.busy)) }
    }

    private func answer(_ number: Int, _ result: Result<String, LinkError>) {
        guard let request = self.requests.removeValue(forKey: number) else { return }
        request.timer.cancel()
        switch result {
        case .success(let fields):
            self.metrics.opened.increment()
            self.connection.writeLink(OutboundPacket.linkAnswer(request.id, fields), ackID: request.ackID)
        case .failure(let error): self.refuse(error, id: request.id, ackID: request.ackID)
        }
    }

    private func refuse(_ error: LinkError, id: MessageID?, ackID: Int64?) {
        self.connection.refuseLink(error, id, ackID, self.service)
    }

    // MARK: peer

    func takePeer(_ packet: PeerPacket) {
        guard let token = LinkToken(packet.token) else { return self.fail(packet, .forbidden) }
        guard let to = SocketID(packet.to) else { return self.fail(packet, .invalid) }
        let limits = self.service.limits
        guard self.waiting.count < limits.waitingSignals,
            self.waitingBytes + packet.byteCount <= limits.waitingSignalBytes || self.waiting.isEmpty
        else {
            self.server.metrics.hit(.waitingSignals)
            return self.fail(packet, .busy)
        }
        self.waiting.append(Signal(packet: packet, token: token, to: to))
        self.waitingBytes += packet.byteCount
        self.work()
    }

    /// Passes on what waits, in order: until one has to be waited for.
    private func work() {
        while !self.isHeldUp, !self.isEnded, let signal = self.waiting.first {
            switch self.broker.look(signal.token.key, for: self.identity.key) {
            case .found(let record):
                self.metrics.cacheHits.increment()
                self.pass(signal, record)
            case .read(let ticket):
                self.metrics.cacheMisses.increment()
                self.read(signal, ticket)
            }
        }
    }

    private func read(_ signal: Signal, _ ticket: LinkCache.Ticket) {
        let broker = self.broker
        self.isHeldUp = true
        let isQueued = self.away {
            let result: Result<LinkRecord?, StoreError>
            do throws(StoreError) {
                result = .success(try await broker.service.store.find(signal.token.key))
            } catch {
                result = .failure(error)
            }
            broker.cache.keep(try? result.get(), ticket)
            return result
        } then: { desk, result in
            desk.isHeldUp = false
            switch result {
            case .success(let record): desk.pass(signal, record)
            case .failure: desk.finish(signal, .busy)
            }
            desk.work()
        }
        guard !isQueued else { return }
        broker.cache.keep(nil, ticket)
        self.isHeldUp = false
        self.finish(signal, .busy)
    }

    /// Judges the first one that waits, and hands it over.
    private func pass(_ signal: Signal, _ record: LinkRecord?) {
        guard let record, let side = record.sides(of: self.identity).first else {
            return self.finish(signal, .forbidden)
        }
        guard record.token == signal.token, record.state != .closed else { return self.finish(signal, .closed) }
        guard signal.to != self.connection.socket else { return self.finish(signal, .offline) }
        let key = record.key(of: 1 - side)
        let packet = OutboundPacket.peerSignal(
            record, from: self.connection.socket, endpoint: self.connection.endpointText,
            label: record.label(seenFrom: 1 - side), content: signal.packet.content)
        let message = PeerSignal(
            to: signal.packet.to, client: record.sides[1 - side].party.client,
            address: .init(
                token: signal.packet.token, from: self.connection.sid, sender: self.identity.key.text),
            packet: packet.text)
        let failed = self.failure(of: signal)
        switch self.broker.hand(message, to: signal.to, of: key, failed: failed) {
        case .done: self.finish(signal, nil)
        case .refused(let error): self.finish(signal, error)
        case .unknown(let node): self.find(signal, message, node, key, failed)
        }
    }

    /// Tells the client, should the other node not be reached.
    private func failure(of signal: Signal) -> @Sendable (LinkError) -> Void {
        let desk = NIOLoopBound(self, eventLoop: self.eventLoop)
        let socket = LoopSocket(self.connection)
        let packet = signal.packet
        return { error in socket.onLoop { _ in desk.value.fail(packet, error) } }
    }

    private func find(
        _ signal: Signal, _ message: PeerSignal, _ node: NodeID, _ key: RouteKey,
        _ failed: @escaping @Sendable (LinkError) -> Void
    ) {
        let broker = self.broker
        self.isHeldUp = true
        let isQueued = self.away {
            await broker.find(message, node, of: key, failed: failed)
        } then: { desk, handover in
            desk.isHeldUp = false
            if case .refused(let error) = handover {
                desk.finish(signal, error)
            } else {
                desk.finish(signal, nil)
            }
            desk.work()
        }
        guard !isQueued else { return }
        self.isHeldUp = false
        self.finish(signal, .busy)
    }

    /// The first one that waits is done with.
    private func finish(_ signal: Signal, _ error: LinkError?) {
        _ = self.waiting.popFirst()
        self.waitingBytes -= signal.packet.byteCount
        if let error { self.fail(signal.packet, error) }
    }

    private func fail(_ packet: PeerPacket, _ error: LinkError) {
        guard !self.isEnded else { return }
        self.connection.refusePeer(packet.token, packet.to, error, self.service)
    }

    // MARK: Ending

    /// The connection has ended. Links that are being opened will be; nobody is left to be told.
    func end() {
        self.isEnded = true
        for request in self.requests.values { request.timer.cancel() }
        self.requests = [:]
        self.waiting = []
    }
}

@available(*, unavailable) extension LinkDesk: Sendable {}

extension LinkRecord {
    /// The sides that a connection is on.
    func sides(of identity: ConnectionIdentity) -> [Int] {
        self.sides(of: identity.user, client: identity.client, in: identity.domain)
    }
}
