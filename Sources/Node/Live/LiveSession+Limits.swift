import NIOCore
import Routing
import Wire

/// Why nothing is taken from a client for now.
struct Pauses: OptionSet {
    let rawValue: UInt8

    /// Too many events wait for asynchronous handlers.
    static let handlers = Pauses(rawValue: 1)
    /// It has sent more than its rate (SPEC LK-17).
    static let rate = Pauses(rawValue: 2)
}

/// What the client may send, and how fast (SOCKETIO §18, SPEC LK-17; docs/adr/0011-rates.md).
extension LiveSession {
    var isPaused: Bool { !self.pauses.isEmpty }

    /// Counts what has come against the client's rates. Acks are free: their number is the server's doing.
    ///
    /// - Parameter text: the message that the action's ranges refer to.
    /// - Returns: whether it is to be handled.
    func isWithinRates(_ action: SocketAction, _ text: UnsafeRawBufferPointer, at now: NIODeadline) -> Bool {
        guard let limits = self.loop.rates else { return true }
        let kind: SocketRates.Kind
        switch action {
        case .event(let slot, let packet): kind = Self.kind(of: packet, in: slot, text)
        case .attached(let slot, let attached):
            guard attached.packet.kind == .binaryEvent || attached.packet.kind == .event else { return true }
            kind = attached.text.withUnsafeReadableBytes { Self.kind(of: attached.packet, in: slot, $0) }
        case .malformedAction: kind = .action
        case .connect, .connectError, .left: kind = .event
        case .none, .ack, .close: return true
        }
        switch self.rates.take(kind, at: now, limits) {
        case .within: return true
        case .pause(let end):
            if !self.pauses.contains(.rate) {
                self.loop.server.metrics.hit(.events)
                self.setReading(false, .rate)
                self.engine.excuseSilence(at: end, options: self.loop.server.engineOptions)
                self.reschedule(at: now)
            }
            return true
        case .refuse:
            self.loop.server.metrics.hit(Limit(kind))
            switch kind {
            case .action: self.refuseOverRate(action, text)
            case .link where self.refuseICE(action, text): break
            case .link, .peer: self.refuseLinkOverRate(action, text)
            case .event: break
            }
            return false
        case .excessive:
            self.loop.server.metrics.hit(.tenfoldRate)
            self.close(.rateLimited)
            return false
        }
    }

    /// What the name of an event makes of it: the product's own are those of `/` (SPEC §8).
    private static func kind(
        of packet: SocketPacket, in slot: NamespaceSlot, _ text: UnsafeRawBufferPointer
    ) -> SocketRates.Kind {
        guard slot == .root else { return .event }
        let name = UnsafeRawBufferPointer(rebasing: text[packet.eventName])
        if packet.nameHasEscapes {
            switch packet.name(in: text) {
            case "action": return .action
            case "link", "ice": return .link
            case "peer": return .peer
            default: return .event
            }
        }
        switch name.count {
        // Asked for where a Link is made.
        case 3: return name.elementsEqual("ice".utf8) ? .link : .event
        case 4: return name.elementsEqual("link".utf8) ? .link : name.elementsEqual("peer".utf8) ? .peer : .event
        case 6: return name.elementsEqual("action".utf8) ? .action : .event
        default: return .event
        }
    }

    /// When the client is read again; nil unless its rate holds it up.
    var rateResumption: NIODeadline? {
        guard self.pauses.contains(.rate), let limits = self.loop.rates else { return nil }
        return self.rates.resumption(limits)
    }

    /// Looks whether the client has waited long enough. It has not been read meanwhile, its pongs included.
    func resumeIfPaid(at now: NIODeadline) {
        guard let resumption = self.rateResumption else { return }
        self.engine.excuseSilence(at: now, options: self.loop.server.engineOptions)
        if now >= resumption { self.setReading(true, .rate) }
    }

    /// The peer's sending is held up, whichever transport it uses, or goes on once nothing holds it up any more.
    func setReading(_ isReading: Bool, _ reason: Pauses) {
        let wasPaused = self.isPaused
        if isReading { self.pauses.remove(reason) } else { self.pauses.insert(reason) }
        guard self.isPaused != wasPaused else { return }
        self.webSocket?.setReading(isReading)
        guard isReading, let polling = self.polling, let post = polling.post, let body = polling.postBody else {
            return
        }
        polling.postBody = nil
        self.postCompleted(post, body: body)
    }

    /// The client has joined a namespace: it is no longer one that has only opened a session.
    func noteJoined() {
        guard !self.hasJoined, !self.engine.isClosed else { return }
        self.hasJoined = true
        self.loop.server.addresses.join(self.address)
    }
}
