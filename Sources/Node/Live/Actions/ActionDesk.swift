import Logging
import Metrics
import NIOCore
import Routing
import Wire

/// The actions of one connection: which run, which wait, what is answered, and what is still streamed. Loop-bound; every
/// `action` packet gets one answer, unless its client has gone (SPEC AC-12).
final class ActionDesk {
    /// How long a disconnection waits for the answer of the action that caused it (SPEC ID-10, ID-12).
    static let longestParting = TimeAmount.seconds(5)

    /// Invariant: a connection holds its desk and outlives it; whoever keeps a desk longer keeps ``loopSocket`` as well.
    private unowned let connection: LiveConnection
    private let actions: SocketActions
    private var queue: ActionQueue<PendingAction>
    private var turns: [ObjectIdentifier: ActionTurn] = [:]
    private var streams: [MessageID: AnswerSender] = [:]
    /// A disconnection that waits.
    private var parting: (reason: LogoutReason, deadline: NIODeadline)?
    private var isEnded = false

    init(_ connection: LiveConnection, _ actions: SocketActions) {
        self.connection = connection
        self.actions = actions
        self.queue = ActionQueue(actions.queueLimits)
    }

    var eventLoop: any EventLoop { self.connection.loop.eventLoop }
    var loopSocket: LoopSocket { LoopSocket(self.connection) }
    private var server: LiveServer { self.connection.loop.server }
    private var session: LiveSession { self.connection.session }

    func submit(_ work: @escaping WorkPool.Work) -> Bool { self.server.work.submit(work) }

    // MARK: Packets

    /// - Parameter arguments: those of an `action` event.
    func take(_ arguments: UnsafeRawBufferPointer, _ attachments: [ByteBuffer], ackID: Int64?) {
        let packet: ActionPacket
        do throws(ActionPacket.Refusal) {
            packet = try self.parse(arguments, attachments)
        } catch {
            return self.refuse(error.error, id: error.id, nil, ackID: ackID)
        }
        let pending = PendingAction(packet: packet, ackID: ackID)
        switch self.queue.add(pending, cost: packet.byteCount) {
        case .run: self.start(pending)
        case .wait: self.actions.metrics.waited.increment()
        case .refuse:
            self.server.metrics.hit(.waitingActions)
            self.refuse(.socketBusy, id: packet.id, packet, ackID: ackID)
        }
    }

    /// An action over the rate (SPEC LK-17).
    func takeOverRate(_ arguments: UnsafeRawBufferPointer, _ attachments: [ByteBuffer], ackID: Int64?) {
        do throws(ActionPacket.Refusal) {
            let packet = try self.parse(arguments, attachments)
            self.refuse(.overRate, id: packet.id, packet, ackID: ackID)
        } catch {
            self.refuse(error.error, id: error.id, nil, ackID: ackID)
        }
    }

    /// One that could not even be read.
    func takeMalformed(ackID: Int64?) { self.refuse(.badRequest, id: nil, nil, ackID: ackID) }

    /// - Parameter arguments: those of a `chunk` event.
    func takeChunk(_ arguments: UnsafeRawBufferPointer) {
        let packet: ChunkPacket
        do throws(ChunkPacket.Malformed) {
            packet = try ChunkPacket(arguments)
        } catch {
            self.actions.metrics.invalidChunks.increment()
            return self.send(.invalidChunk(error.id))
        }
        // Of a stream that is over by now: what the client says crosses what it is told.
        guard let sender = self.streams[packet.id] else { return }
        switch packet.request {
        case .cancel: sender.stop(.cancelled)
        case .acknowledge(let number):
            if !sender.acknowledge(through: number) {
                self.actions.metrics.invalidChunks.increment()
                self.send(.invalidChunk(packet.id))
            }
        }
        self.reschedule()
    }

    private func parse(
        _ arguments: UnsafeRawBufferPointer, _ attachments: [ByteBuffer]
    ) throws(ActionPacket.Refusal) -> ActionPacket {
        do {
            return try ActionPacket(
                arguments, attachments: attachments, longestURL: self.server.limits.maximumTarget)
        } catch {
            if error.error == .longTarget { self.server.metrics.hit(.target) }
            throw error
        }
    }

    // MARK: Answers

    private func start(_ pending: PendingAction) {
        guard let identity = self.connection.identity else {
            // Guests are live in conformance mode only, which has no actions over sockets.
            return self.finish(pending, self.refusal(ActionError(403, "GUEST"), id: pending.packet.id, pending.packet))
        }
        let handshake = self.session.handshake
        let requester = SocketActions.Requester(
            identity: identity, socket: self.connection.sid, address: handshake.source.address,
            userAgent: handshake.headers.single("user-agent"), originIsOwn: handshake.origin != .foreign,
            speaksProduct: self.connection.speaksProduct)
        let turn = ActionTurn()
        self.turns[ObjectIdentifier(turn)] = turn
        let actions = self.actions
        let socket = self.loopSocket
        let desk = NIOLoopBound(self, eventLoop: self.eventLoop)
        let isQueued = self.submit {
            let answer = await actions.answer(pending.packet, requester, turn)
            socket.onLoop { _ in desk.value.answered(turn, pending, answer) }
        }
        if !isQueued {
            self.answered(turn, pending, self.refusal(.busy, id: pending.packet.id, pending.packet))
        }
    }

    private func answered(_ turn: ActionTurn, _ pending: PendingAction, _ answer: SocketAnswer) {
        if answer.isTooLarge { self.server.metrics.hit(.reply) }
        self.turns[ObjectIdentifier(turn)] = nil
        self.finish(pending, answer)
    }

    /// Answers one that ran. The disconnection that waits for it comes behind, else the next one runs.
    private func finish(_ pending: PendingAction, _ answer: SocketAnswer) {
        let next = self.queue.finish()
        if self.isEnded {
            self.actions.metrics.unanswered.increment()
            if let stream = answer.stream {
                stream.cancel()
                self.actions.metrics.ended(.lost)
            }
            return
        }
        self.write(pending, answer)
        self.partIfAnswered()
        if let next {
            if self.isEnded { return self.actions.metrics.unanswered.increment() }
            self.start(next)
        }
    }

    private func write(_ pending: PendingAction, _ answer: SocketAnswer) {
        guard let stream = answer.stream else { return self.write(answer, ackID: pending.ackID) }
        let refusal: ActionError
        if let id = pending.packet.id, self.streams[id] == nil {
            if self.streams.count < self.actions.streamsPerSocket {
                self.write(answer, ackID: pending.ackID)
                guard !self.isEnded else {
                    stream.cancel()
                    return self.actions.metrics.ended(.lost)
                }
                let sender = AnswerSender(id, stream, desk: self)
                self.streams[id] = sender
                sender.pump()
                return self.reschedule()
            }
            self.server.metrics.hit(.streams)
            refusal = .socketBusy
        } else {
            refusal = .streamID
        }
        stream.cancel()
        self.refuse(refusal, id: pending.packet.id, pending.packet, ackID: pending.ackID)
    }

    private func refuse(_ error: ActionError, id: MessageID?, _ packet: ActionPacket?, ackID: Int64?) {
        self.write(self.refusal(error, id: id, packet), ackID: ackID)
    }

    private func refusal(_ error: ActionError, id: MessageID?, _ packet: ActionPacket?) -> SocketAnswer {
        let handshake = self.session.handshake
        return self.actions.refuse(
            error, id: id, packet, domain: handshake.domain, address: handshake.source.address,
            speaksProduct: self.connection.speaksProduct)
    }

    /// Events, the reply, and the acknowledgement, with nothing between them.
    private func write(_ answer: SocketAnswer, ackID: Int64?) {
        var packets = answer.events
        if self.connection.isRecoverable { packets = packets.map { self.connection.stamp($0) } }
        packets.append(.reply(answer.json))
        if let ackID { packets.append(.replyAck(answer.json, ackID: ackID)) }
        self.session.send(packets)
    }

    func send(_ packet: OutboundPacket) {
        if !self.isEnded { self.session.send(packet) }
    }

    // MARK: Streams

    /// It has ended, however.
    func forget(_ sender: AnswerSender, _ how: StreamEnd) {
        if self.streams[sender.id] === sender { self.streams[sender.id] = nil }
        self.actions.metrics.ended(how)
    }

    // MARK: Time

    /// The earliest moment at which ``expire(at:)`` has something to do.
    var nextDeadline: NIODeadline? {
        let stalls = self.streams.values.compactMap { $0.stallDeadline(self.actions.streamStall) }
        return (stalls + [self.parting?.deadline].compactMap(\.self)).min()
    }

    func expire(at now: NIODeadline) {
        for sender in self.streams.values {
            guard let deadline = sender.stallDeadline(self.actions.streamStall), now >= deadline else { continue }
            self.server.metrics.hit(.streamStall)
            sender.stop(.stalled, telling: "STALLED")
        }
        if let parting, now >= parting.deadline { self.part(parting.reason) }
    }

    func reschedule() {
        if !self.isEnded { self.session.reschedule() }
    }

    // MARK: Ending

    /// Whether a disconnection waits for an action of this very connection that changes its session: its client is to have the
    /// answer first (SPEC ID-10, ID-12).
    func defers(_ reason: LogoutReason) -> Bool {
        guard !self.isEnded, reason == .session || reason == .logout, self.changesSession else { return false }
        guard self.parting == nil else { return true }
        self.parting = (reason, .now() + Self.longestParting)
        self.reschedule()
        return true
    }

    private var changesSession: Bool { self.turns.values.contains { $0.changesSession } }

    private func partIfAnswered() {
        if let parting, !self.changesSession { self.part(parting.reason) }
    }

    private func part(_ reason: LogoutReason) {
        self.parting = nil
        self.session.logout(reason)
    }

    /// The connection has ended. Actions that run end by themselves; nobody is left to be told.
    func end() {
        guard !self.isEnded else { return }
        self.isEnded = true
        self.parting = nil
        self.queue.clear()
        for sender in self.streams.values { sender.stop(.lost) }
    }
}

@available(*, unavailable) extension ActionDesk: Sendable {}
