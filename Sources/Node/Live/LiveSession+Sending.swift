import NIOCore
import Routing
import Wire

/// Everything that goes out to one session (SPEC EV-4, SOCKETIO §12).
extension LiveSession {
    /// Sends to this session alone, behind everything that its device was sent before.
    func send(_ packet: OutboundPacket) {
        self.loop.counters.packetsOut += 1
        self.traffic.counts.bytesOut += packet.byteCount
        if let webSocket = self.webSocket {
            if let connection = self.connection { self.loop.table.settle(connection) }
            let base64 = self.isBase64
            webSocket.send { packet.writeFrames(base64: base64, into: &$0) }
        } else {
            self.queue(packet)
        }
    }

    /// Sends several packets with nothing between them, in one write.
    func send(_ packets: [OutboundPacket]) {
        guard let webSocket = self.webSocket else {
            for packet in packets { self.send(packet) }
            return
        }
        self.loop.counters.packetsOut += packets.count
        self.traffic.counts.bytesOut += packets.reduce(0) { $0 + $1.byteCount }
        if let connection = self.connection { self.loop.table.settle(connection) }
        let base64 = self.isBase64
        webSocket.send { for packet in packets { packet.writeFrames(base64: base64, into: &$0) } }
    }

    /// Makes one write of everything that `body` sends to this session.
    func joining(_ body: () -> Void) {
        guard let webSocket = self.webSocket else { return body() }
        webSocket.joining(body)
    }

    /// The same for an event: with connection state recovery on, every one on `/` carries the client's position, also where it
    /// is not logged itself (SOCKETIO §14.1.3).
    func sendEvent(_ packet: OutboundPacket) {
        self.traffic.counts.eventsOut += 1
        guard let connection = self.connection, connection.isRecoverable, packet.isOnRoot else {
            return self.send(packet)
        }
        self.send(connection.stamp(packet))
    }

    /// The same for an ack that can be written without making a packet first.
    func send(_ text: SocketPacketText) {
        self.loop.counters.packetsOut += 1
        self.traffic.counts.bytesOut += text.count
        if let webSocket = self.webSocket {
            if let connection = self.connection { self.loop.table.settle(connection) }
            webSocket.send { text.writeFrame(into: &$0) }
        } else {
            var buffer = ByteBuffer()
            text.write(into: &buffer)
            self.queue(OutboundPacket(text: buffer))
        }
    }

    /// Sends what others get as well: framed once for all of them. Leaves with the others' at the end of the tick.
    func send(_ shared: SharedPacket, _ delivery: Delivery) {
        switch delivery {
        case .required:
            guard let webSocket = self.webSocket, self.isStreaming, self.connection?.isRecoverable != true else {
                return self.sendEvent(shared.packet)
            }
            self.loop.counters.packetsOut += 1
            self.traffic.counts.eventsOut += 1
            self.traffic.counts.bytesOut += shared.packet.byteCount
            if let connection = self.connection { self.loop.table.settle(connection) }
            webSocket.transmitSoon(shared.frames)
        case .volatile, .latest: self.send(shared.packet, delivery)
        }
    }

    /// Sends in one of the three ways that a slow reader can be treated.
    func send(_ packet: OutboundPacket, _ delivery: Delivery) {
        switch delivery {
        case .required: self.sendEvent(packet)
        case .volatile:
            guard self.isWritable else {
                self.loop.counters.volatileDropped += 1
                return
            }
            self.sendEvent(packet)
        case .latest(let key):
            // While some wait, a later one waits as well: keys keep their order.
            if self.latest == nil, self.isWritable { return self.sendEvent(packet) }
            self.hold(packet, key)
        }
    }

    /// Whether the transport could take something right now: a poll is held, or no write is unfinished (SOCKETIO §12).
    private var isWritable: Bool { self.webSocket.map(\.isDrained) ?? self.engine.isPollHeld }

    private func hold(_ packet: OutboundPacket, _ key: String) {
        guard !self.engine.isClosed else { return }
        let isFirst = self.latest == nil
        var latest = self.latest ?? LatestPackets()
        switch latest.put(packet, key: key, limit: self.loop.server.engineOptions.maxQueuedBytes) {
        case .added: break
        case .replaced: self.loop.counters.coalesced += 1
        case .full: return self.endAsSlow()
        }
        self.latest = latest
        if isFirst { self.webSocket?.whenDrained { [weak self] in self?.releaseLatest() } }
    }

    /// The transport can take something again: what is the latest by now goes out.
    func releaseLatest() {
        guard var latest = self.latest else { return }
        self.latest = nil
        for packet in latest.take() { self.sendEvent(packet) }
    }

    func sendBare(binary: ByteBuffer) {
        if let webSocket = self.webSocket {
            let base64 = self.isBase64
            webSocket.send { OutboundPacket.writeBinaryFrame(binary, base64: base64, into: &$0) }
        } else if let polling = self.polling {
            guard polling.queue.append(binary: binary, limit: self.loop.server.engineOptions.maxQueuedBytes) else {
                return self.endAsSlow()
            }
            self.answerPollSoon()
        }
    }
}
