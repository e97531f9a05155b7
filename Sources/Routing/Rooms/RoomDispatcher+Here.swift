import Metrics
import NIOCore
package import Wire

/// The part of this node: for its own callers, and for what other nodes ask.
extension RoomDispatcher {
    func emitHere(
        _ packet: OutboundPacket, to target: RoomTarget, in scope: RoomScope, _ delivery: Delivery,
        mark: RecoveryMark? = nil, completion: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        let sum = LoopSum(parts: self.index.loopCount, completion: completion)
        self.index.onEveryLoop { tables in
            // Also where it is for nobody: then nobody here has missed it.
            if let mark, tables.broadcasts?.raise(scope.domain, to: mark) == false { return sum.add(0) }
            guard let table = tables[scope] else { return sum.add(0) }
            let shared = SharedPacket(packet)
            let members = table.members(of: target)
            for member in members { member.emit(shared, delivery, mark) }
            sum.add(members.count)
        }
    }

    func joinHere(
        _ rooms: [String], _ target: RoomTarget, in scope: RoomScope,
        completion: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        let limits = self.index.limits
        self.index.forEach(target, in: scope) { table, member in
            // One-way by its nature (SOCKETIO §13): a socket that has its limit of rooms stays where it is.
            do {
                try table.join(member, rooms, limits: limits)
            } catch {
                return self.joinsRefused.increment()
            }
            member.roomsChanged {}
        } completion: {
            completion($0)
        }
    }

    func leaveHere(
        _ rooms: [String], _ target: RoomTarget, in scope: RoomScope,
        completion: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.index.forEach(target, in: scope) { table, member in
            for room in rooms { table.leave(member, room) }
            member.roomsChanged {}
        } completion: {
            completion($0)
        }
    }

    func disconnectHere(
        _ target: RoomTarget, closes: Bool, in scope: RoomScope,
        completion: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.index.forEach(target, in: scope) { _, member in
            member.disconnect(closes: closes)
        } completion: {
            completion($0)
        }
    }

    /// Each loop says how many sockets it asks, then what they answer.
    func emitWithAckHere(
        _ packet: OutboundPacket, to target: RoomTarget, in scope: RoomScope, timeout: Duration,
        _ report: @escaping LoopReport
    ) {
        let id = self.ackIDs.next()
        let numbered = packet.numbered(id, namespace: scope.namespace)
        let deadline = NIODeadline.now() + .milliseconds(timeout.milliseconds)
        self.index.onEveryLoop(scope) { table, loop in
            let members = table?.members(of: target) ?? []
            report(loop, members.count, [])
            let shared = SharedPacket(numbered)
            for member in members {
                member.emit(shared, ackID: id, until: deadline) { answer in
                    switch answer {
                    case .arguments(let item): report(loop, nil, [item])
                    case .none: report(loop, nil, [nil])
                    // The one who asked has the same patience.
                    case .timedOut: break
                    }
                }
            }
        }
    }

    func fetchHere(_ target: RoomTarget, in scope: RoomScope, _ report: @escaping LoopReport) {
        self.index.onEveryLoop(scope) { table, loop in
            let members = table?.members(of: target) ?? []
            report(loop, members.count, members.map { RoomReply.Item(text: $0.describe()) })
        }
    }

    // MARK: For other nodes

    /// A message of kind `room`. Call from the bus' thread.
    package func receive(_ message: BusMessage, from sender: NodeID) throws(EnvelopeError) {
        let order = try RoomMessage.decode(message.payload)
        let scope = RoomScope(domain: order.domain, namespace: order.namespace)
        let target = RoomTarget(rooms: order.rooms, except: order.except)
        switch order.operation {
        case .emit(let packet, let attachments, let delivery):
            self.emitHere(OutboundPacket(text: packet, attachments: attachments), to: target, in: scope, delivery)
        case .logged(let packet, let attachments, let number):
            self.emitHere(
                OutboundPacket(text: packet, attachments: attachments), to: target, in: scope, .required,
                mark: RecoveryMark(stream: sender.stream(.broadcast), number: number))
        case .emitWithAck(let packet, let attachments, let timeout):
            let answer = RemoteAnswer(request: order.request, to: sender, loops: self.index.loopCount, self)
            self.emitWithAckHere(
                OutboundPacket(text: packet, attachments: attachments), to: target, in: scope,
                timeout: .milliseconds(Int64(timeout))
            ) { _, expected, items in answer.report(expected: expected, items: items) }
        case .join(let rooms): self.joinHere(rooms, target, in: scope)
        case .leave(let rooms): self.leaveHere(rooms, target, in: scope)
        case .disconnect(let closes): self.disconnectHere(target, closes: closes, in: scope)
        case .fetch:
            let answer = RemoteAnswer(request: order.request, to: sender, loops: self.index.loopCount, self)
            self.fetchHere(target, in: scope) { _, expected, items in answer.report(expected: expected, items: items) }
        case .serverSide(let name, let arguments):
            let request = order.request
            self.serverSide(scope, name, arguments) { value in
                guard request != 0 else { return }
                let item = value.map { RoomReply.Item(text: $0) }
                self.reply(RoomReply(request: request, expected: 1, items: [item]), to: sender)
            }
        }
    }

    /// A message of kind `ack`: what another node contributes to a request of this one.
    package func receiveReply(_ message: BusMessage, from sender: NodeID) throws(EnvelopeError) {
        let reply = try RoomReply.decode(message.payload)
        self.requests.report(
            reply.request, .node(sender), expected: reply.expected.map { Int($0) }, items: reply.items)
    }

    package func reply(_ reply: RoomReply, to node: NodeID) {
        do {
            let message = BusMessage(kind: .ack, key: "", payload: try reply.encode())
            self.outbox?.add(.init(message: message, audience: .node(node)))
        } catch {
            // One answer is larger than the bus takes: the others shall not wait for it.
            self.repliesRefused.increment(by: reply.items.count)
            let none = RoomReply(
                request: reply.request, expected: reply.expected, items: reply.items.map { _ in nil })
            guard let payload = try? none.encode() else { return }
            self.outbox?.add(.init(message: BusMessage(kind: .ack, key: "", payload: payload), audience: .node(node)))
        }
    }
}
