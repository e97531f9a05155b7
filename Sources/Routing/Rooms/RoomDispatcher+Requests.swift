package import NIOCore
package import Wire

extension RoomDispatcher {
    /// Sends an event to all sockets of a target and gathers their acknowledgements (SOCKETIO §12).
    /// - Throws: too many requests are under way.
    package func emitWithAck(
        _ packet: OutboundPacket, to target: RoomTarget, in scope: RoomScope, timeout: Duration, isLocal: Bool = false
    ) async throws(ClusterRequests.Full) -> ClusterReplies {
        let milliseconds = UInt32(clamping: timeout.milliseconds)
        return try await self.request(
            .emitWithAck(packet: packet.text, attachments: packet.attachments, timeout: milliseconds), on: target,
            in: scope, timeout: timeout, isLocal: isLocal
        ) { self.emitWithAckHere(packet, to: target, in: scope, timeout: timeout, $0) }
    }

    /// All sockets of a target, as JSON objects (SOCKETIO §13).
    package func fetch(
        _ target: RoomTarget, in scope: RoomScope, timeout: Duration, isLocal: Bool = false
    ) async throws(ClusterRequests.Full) -> ClusterReplies {
        try await self.request(.fetch, on: target, in: scope, timeout: timeout, isLocal: isLocal) {
            self.fetchHere(target, in: scope, $0)
        }
    }

    /// An event to all *other* nodes, each of which answers once (SOCKETIO §13).
    package func emitServerSideWithAck(
        _ name: String, _ arguments: ByteBuffer, in scope: RoomScope, timeout: Duration
    ) async throws(ClusterRequests.Full) -> ClusterReplies {
        try await self.request(
            .serverSide(name: name, arguments: arguments), on: RoomTarget(), in: scope, timeout: timeout, isLocal: false
        ) { report in
            for loop in 0..<self.index.loopCount { report(loop, 0, []) }
        }
    }

    /// What one loop of this node contributes; nil for `expected` once that was said.
    typealias LoopReport = @Sendable (_ loop: Int, _ expected: Int?, _ items: [RoomReply.Item?]) -> Void

    private func request(
        _ operation: RoomMessage.Operation, on target: RoomTarget, in scope: RoomScope, timeout: Duration,
        isLocal: Bool, here: @escaping @Sendable (@escaping LoopReport) -> Void
    ) async throws(ClusterRequests.Full) -> ClusterReplies {
        let requests = self.requests
        let id = try requests.begin(loops: self.index.loopCount)
        self.inOrder(scope) {
            self.ask(operation, on: target, in: scope, id, isLocal: isLocal)
            here { loop, expected, items in requests.report(id, .loop(loop), expected: expected, items: items) }
        }
        return await requests.wait(id, timeout: timeout)
    }

    private func ask(
        _ operation: RoomMessage.Operation, on target: RoomTarget, in scope: RoomScope, _ id: UInt64, isLocal: Bool
    ) {
        let requests = self.requests
        guard !isLocal, let outbox = self.outbox else { return requests.ask([], id) }
        do {
            let message = try self.message(operation, target, scope, request: id)
            outbox.add(
                .init(
                    message: message, audience: .everyone, addressed: { requests.ask($0, id) },
                    published: { node, error in
                        if error != nil { requests.depart(node, from: id) }
                    }))
        } catch {
            requests.ask([], id)
        }
    }
}

extension Duration {
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }
}
