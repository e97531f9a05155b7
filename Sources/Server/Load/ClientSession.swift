import NIOCore
import Wire

/// The client's end of one Engine.IO 4 session over WebSocket with the root namespace of Socket.IO in it. Owns no socket
/// and no clock.
struct ClientSession {
    enum State: Equatable, Sendable {
        /// For the Engine.IO handshake.
        case awaitingOpen
        case awaitingConnect
        case live
        case ended
    }

    /// What a text message meant.
    enum Event: Equatable {
        case nothing
        /// The session is open: send CONNECT. Silence for longer than this means that the server is gone.
        case open(silence: TimeAmount)
        /// Answer with a pong.
        case ping
        case connected(sid: String, pid: String?)
        /// CONNECT was refused; the server's message.
        case refused(String)
        /// An event; `packet` describes the text behind the first byte. Comes before `connected`, too: replayed events.
        case event(SocketPacket)
        case ack(id: Int64, SocketPacket)
        /// The server has ended the namespace.
        case disconnected
        /// The server closes the session.
        case closed
        case violation(String)
    }

    private(set) var state = State.awaitingOpen
    private static let options = SocketOptions(maxAuthBytes: 1 << 20, maxPacketBytes: 1 << 26)

    /// - Parameter text: one WebSocket text message.
    mutating func receive(_ text: UnsafeRawBufferPointer) -> Event {
        guard let type = text.first else { return self.fail("empty packet") }
        let body = UnsafeRawBufferPointer(rebasing: text[1...])
        switch type {
        case UInt8(ascii: "4"):
            guard self.state == .live || self.state == .awaitingConnect else { return self.fail("message before open") }
            return self.message(body)
        case UInt8(ascii: "2"): return self.state == .awaitingOpen ? self.fail("ping before open") : .ping
        case UInt8(ascii: "0"): return self.state == .awaitingOpen ? self.open(body) : self.fail("second handshake")
        case UInt8(ascii: "1"):
            self.state = .ended
            return .closed
        case UInt8(ascii: "6"): return .nothing
        default: return self.fail("unknown packet type")
        }
    }

    private mutating func open(_ body: UnsafeRawBufferPointer) -> Event {
        guard let interval = Self.milliseconds("pingInterval", in: body),
            let timeout = Self.milliseconds("pingTimeout", in: body)
        else { return self.fail("handshake without intervals") }
        self.state = .awaitingConnect
        return .open(silence: .milliseconds(interval + timeout))
    }

    private mutating func message(_ body: UnsafeRawBufferPointer) -> Event {
        let packet: SocketPacket
        do {
            packet = try SocketPacketParser.parse(body, options: Self.options)
        } catch {
            return self.fail("malformed packet")
        }
        guard packet.isRoot else { return .nothing }
        switch packet.kind {
        case .event, .binaryEvent: return .event(packet)
        case .ack, .binaryAck: return packet.ackID.map { .ack(id: $0, packet) } ?? self.fail("ack without id")
        case .connect:
            guard self.state == .awaitingConnect else { return self.fail("second CONNECT") }
            let payload = UnsafeRawBufferPointer(rebasing: body[packet.payload])
            guard let sid = Self.string("sid", in: payload) else { return self.fail("CONNECT without sid") }
            self.state = .live
            return .connected(sid: sid, pid: Self.string("pid", in: payload))
        case .connectError:
            self.state = .ended
            return .refused(Self.string("message", in: UnsafeRawBufferPointer(rebasing: body[packet.payload])) ?? "")
        case .disconnect:
            self.state = .ended
            return .disconnected
        }
    }

    private mutating func fail(_ what: String) -> Event {
        self.state = .ended
        return .violation(what)
    }

    private static func milliseconds(_ name: StaticString, in json: UnsafeRawBufferPointer) -> Int64? {
        guard let range = JSONObjectReader.value(of: name, in: json) else { return nil }
        return Int64(String(decoding: json[range], as: UTF8.self)).flatMap { (0...86_400_000).contains($0) ? $0 : nil }
    }

    private static func string(_ name: StaticString, in json: UnsafeRawBufferPointer) -> String? {
        guard let range = JSONObjectReader.value(of: name, in: json) else { return nil }
        return ArgumentReader.string(UnsafeRawBufferPointer(rebasing: json[range]))
    }
}
