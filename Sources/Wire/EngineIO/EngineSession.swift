package import NIOCore

/// Decides what an Engine.IO 4 session does next: transports, upgrade, heartbeat, end (SOCKETIO §5 to §8). Owns no
/// socket, no timer, no clock and no queue; 24 bytes.
///
/// Timers: whenever a call returned, `nextDeadline` may have changed; call `heartbeat(at:)` once it is reached, until
/// it says `none`. Requests also check the pong's deadline themselves, so that a late timer never revives a dead
/// session.
package struct EngineSession {
    private enum Phase: UInt8 { case open, closing, leaving, closed }
    private enum Upgrade: UInt8 { case none, accepted, probed }

    /// When the next ping, or the awaited pong, is due.
    private var heartbeatDeadline: NIODeadline
    /// When an upgrade, or the wait for a last poll, is given up. Never two of them.
    private var patience: NIODeadline
    package private(set) var transport: EngineTransport
    private var phase = Phase.open
    private var upgrade = Upgrade.none
    private var awaitsPong = false
    private var holdsPoll = false
    /// The held poll has come after the WebSocket that is trying to take over.
    private var holdsLatePoll = false
    private var readsPost = false
    private var reason = CloseReason.forcedClose

    /// - Parameter now: when the handshake is answered; the first ping is due one interval later.
    package init(transport: EngineTransport, at now: NIODeadline, options: EngineOptions) {
        self.transport = transport
        self.heartbeatDeadline = now + options.pingInterval
        self.patience = .distantFuture
    }

    /// Neither closed nor closing.
    package var isOpen: Bool { self.phase == .open }

    /// Gone for good: the sid is unknown from here on.
    package var isClosed: Bool { self.phase == .closed }

    /// The client has closed, and the answer to its POST is held: `leave`.
    package var isLeaving: Bool { self.phase == .leaving }

    /// Whether a WebSocket is trying to take over.
    package var isUpgrading: Bool { self.upgrade != .none }

    /// Whether a volatile packet could go out right now; on WebSocket that is the channel's to say (SOCKETIO §12).
    package var isPollHeld: Bool { self.holdsPoll }

    // MARK: Time

    /// When `heartbeat(at:)` has to be called; nil after the end.
    package var nextDeadline: NIODeadline? {
        switch self.phase {
        case .open: self.upgrade == .none ? self.heartbeatDeadline : min(self.heartbeatDeadline, self.patience)
        case .closing, .leaving: self.patience
        case .closed: nil
        }
    }

    /// A deadline was reached, or may have been.
    package mutating func heartbeat(at now: NIODeadline, options: EngineOptions) -> HeartbeatAction {
        switch self.phase {
        case .closed: return .none
        case .closing, .leaving:
            guard now >= self.patience else { return .none }
            return .end(self.finish(.none))
        case .open: break
        }
        if self.upgrade != .none, now >= self.patience {
            self.upgrade = .none
            return .closeProbe
        }
        guard now >= self.heartbeatDeadline else { return .none }
        if self.awaitsPong { return .end(self.finish(.close, reason: .pingTimeout)) }
        self.awaitsPong = true
        // Counted from when the ping was due, so that late timers do not add up (SOCKETIO §8.1). If this process slept
        // over it, the peer still gets its time.
        let isLate = (now - self.heartbeatDeadline).nanoseconds > options.pingTimeout.nanoseconds / 4
        self.heartbeatDeadline = (isLate ? now : self.heartbeatDeadline) + options.pingTimeout
        return .sendPing
    }

    /// The client is not read: a pong that is due may lie in what is unread, and so gets its time from `now` on.
    package mutating func excuseSilence(at now: NIODeadline, options: EngineOptions) {
        guard self.phase == .open, self.awaitsPong else { return }
        self.heartbeatDeadline = max(self.heartbeatDeadline, now + options.pingTimeout)
    }

    // MARK: Polling

    /// A GET for this session has come.
    package mutating func poll(isQueueEmpty: Bool, at now: NIODeadline) -> PollAction {
        switch self.phase {
        case .closed: return .refuse(.sessionUnknown)
        case .closing: return .last(self.finish(.none))
        case .leaving: return .overtaken(self.finish(.none))
        case .open: break
        }
        if self.isOverdue(at: now) { return .expired(self.finish(.close, reason: .pingTimeout)) }
        guard self.transport == .polling else { return .refuse(.badRequest) }
        if self.holdsPoll { return .overlap(self.finish(.close, reason: .transportError)) }
        if !isQueueEmpty { return .answer }
        self.holdsPoll = true
        self.holdsLatePoll = self.upgrade != .none
        return self.upgrade == .probed ? .holdBriefly : .hold
    }

    /// Something was queued; call once per event-loop tick, so that what belongs together goes out together.
    ///
    /// - Returns: whether a poll was held, which is to be answered now with everything queued.
    package mutating func answerPoll() -> Bool {
        defer { self.holdsPoll = false }
        return self.phase == .open && self.holdsPoll
    }

    /// The connection of a held poll is gone (SOCKETIO §5.1).
    /// - Returns: nil where no poll was held any more.
    package mutating func pollLost() -> EngineEnding? {
        guard self.phase == .open, self.holdsPoll else { return nil }
        self.holdsPoll = false
        return self.finish(.none, reason: .transportError)
    }

    /// The head of a POST for this session has come.
    ///
    /// - Parameters:
    ///   - isOctetStream: whether its content type is `application/octet-stream`.
    ///   - contentLength: nil for a chunked body; count its bytes and call `postTooLarge`.
    package mutating func post(
        isOctetStream: Bool, contentLength: Int?, at now: NIODeadline, options: EngineOptions
    ) -> PostAction {
        switch self.phase {
        case .leaving, .closed: return .refuse(.sessionUnknown)
        case .open, .closing: break
        }
        if self.isOverdue(at: now) { return .expired(self.finish(.close, reason: .pingTimeout)) }
        guard self.transport == .polling else { return .refuse(.badRequest) }
        if self.readsPost || isOctetStream {
            return .reject(status: 400, self.finish(.close, reason: .transportError))
        }
        if let contentLength, contentLength > options.maxPayload {
            return .reject(status: 413, self.finish(.close, reason: .transportError))
        }
        self.readsPost = true
        return .read
    }

    /// The body of the POST is complete.
    package mutating func postBody() -> PostBodyAction {
        guard self.readsPost else { return .refuse(self.phase == .closed ? .sessionUnknown : .badRequest) }
        self.readsPost = false
        return .decode
    }

    /// The body of the POST exceeds `maxPayload`: answer 413 with an empty body, close its connection.
    package mutating func postTooLarge() -> EngineEnding? {
        guard self.readsPost else { return nil }
        self.readsPost = false
        return self.end(.transportError)
    }

    /// The connection of a POST is gone before its body was complete.
    package mutating func postLost() -> EngineEnding? { self.postTooLarge() }

    // MARK: Packets

    /// A packet has come over the current transport.
    package mutating func receive(
        _ type: EnginePacketType, at now: NIODeadline, options: EngineOptions
    ) -> ReceiveAction {
        switch (self.phase, type) {
        case (.open, .message): return .message
        case (.open, .pong):
            // One that nobody asked for changes nothing (CVE-2026-48802).
            if self.awaitsPong {
                self.awaitsPong = false
                self.heartbeatDeadline = now + options.pingInterval
            }
            return .none
        case (.open, .ping): return .end(self.finish(.close, reason: .transportError))
        case (.open, .close):
            guard self.transport == .polling, !self.holdsPoll else {
                return .end(self.finish(.noop, reason: .transportClose))
            }
            let closesProbe = self.upgrade != .none
            self.upgrade = .none
            self.phase = .leaving
            self.reason = .transportClose
            self.patience = now + options.leaveTimeout
            return .leave(closesProbe: closesProbe)
        case (.open, .open), (.open, .upgrade), (.open, .noop): return .none
        case (.closing, .close): return .end(self.finish(.none))
        case (.closing, _), (.leaving, _), (.closed, _): return .none
        }
    }

    /// Something that is no packet has come over the current transport.
    package mutating func receiveInvalid() -> EngineEnding? { self.end(.parseError) }

    // MARK: Upgrade

    /// A WebSocket request names this session.
    package mutating func upgradeRequest(at now: NIODeadline, options: EngineOptions) -> UpgradeAction {
        switch self.phase {
        case .closed: return .refuse(.sessionUnknown)
        case .closing, .leaving: return .acceptAndClose
        case .open: break
        }
        if self.isOverdue(at: now) { return .expired(self.finish(.close, reason: .pingTimeout)) }
        guard self.transport == .polling, self.upgrade == .none else { return .acceptAndClose }
        guard options.allowsUpgrades else { return .refuse(.badRequest) }
        self.upgrade = .accepted
        self.patience = now + options.upgradeTimeout
        return .accept
    }

    /// A packet has come over the WebSocket that is trying to take over.
    ///
    /// - Parameter isProbe: whether its payload is `probe`.
    package mutating func probe(
        _ type: EnginePacketType, isProbe: Bool, at now: NIODeadline, options: EngineOptions
    ) -> ProbeAction {
        guard self.phase == .open, self.upgrade != .none else { return .none }
        switch type {
        case .ping where isProbe:
            self.upgrade = .probed
            return .sendPong(releasesPoll: self.holdsPoll)
        case .upgrade:
            let cutsPost = self.readsPost
            self.readsPost = false
            self.upgrade = .none
            self.transport = .websocket
            // The pong may have got lost with the old transport: it gets its time again (SOCKETIO §7.11).
            if self.awaitsPong { self.heartbeatDeadline = now + options.pingTimeout }
            let isLate = self.holdsLatePoll
            return .upgraded(poll: self.answerPoll() ? isLate ? .refuse : .noop : .none, cutsPost: cutsPost)
        case .open, .close, .ping, .pong, .message, .noop: return self.probeInvalid()
        }
    }

    /// A binary message, or no packet at all, has come over the WebSocket that is trying to take over.
    package mutating func probeInvalid() -> ProbeAction {
        guard self.phase == .open, self.upgrade != .none else { return .none }
        self.upgrade = .none
        return .closeProbe
    }

    /// The WebSocket that was trying to take over is gone: the session goes on with polling and may try again.
    package mutating func probeLost() { self.upgrade = .none }

    // MARK: End

    /// Ends the session at once: the transport was lost, the peer broke a rule, or the server stops and drops what is
    /// queued.
    /// - Returns: nil where it has ended already.
    package mutating func end(_ reason: CloseReason) -> EngineEnding? {
        guard self.phase != .closed else { return nil }
        return self.finish(.close, reason: reason)
    }

    /// The server closes the session; the client still gets what is queued.
    package mutating func close(
        _ reason: CloseReason, at now: NIODeadline, options: EngineOptions
    ) -> CloseAction {
        guard self.phase == .open else { return .none }
        guard self.transport == .polling, !self.holdsPoll else {
            return .end(self.finish(.queueAndClose, reason: reason))
        }
        let closesProbe = self.upgrade != .none
        self.upgrade = .none
        self.phase = .closing
        self.reason = reason
        self.patience = now + options.closeTimeout
        return .waitForPoll(closesProbe: closesProbe)
    }

    private func isOverdue(at now: NIODeadline) -> Bool {
        self.phase == .open && self.awaitsPong && now >= self.heartbeatDeadline
    }

    /// - Parameters:
    ///   - poll: the answer for a poll, if one is held.
    ///   - reason: nil where the close was announced with its reason before.
    private mutating func finish(_ poll: EngineEnding.Poll, reason: CloseReason? = nil) -> EngineEnding {
        let wasAnnounced = self.phase == .closing || self.phase == .leaving
        let ending = EngineEnding(
            reason: wasAnnounced ? self.reason : reason ?? self.reason, poll: self.holdsPoll ? poll : .none,
            cutsPost: self.readsPost, closesWebSocket: self.transport == .websocket,
            closesProbe: self.upgrade != .none, wasAnnounced: wasAnnounced)
        self.phase = .closed
        self.upgrade = .none
        self.holdsPoll = false
        self.readsPost = false
        self.awaitsPong = false
        return ending
    }
}

@available(*, unavailable) extension EngineSession: Sendable {}
