import NIOCore
import Wire

/// A session's machine, driven by commands of one byte: what it asks for is held against a plain record of what is open,
/// so that each poll, post and probe is answered once and nothing happens after the end (SOCKETIO §5 to §8).
struct EngineTarget {
    private static let options = EngineOptions(
        pingInterval: .seconds(10), pingTimeout: .seconds(5), upgradeTimeout: .seconds(7), closeTimeout: .seconds(9))

    private var session: EngineSession
    private var now = NIODeadline.uptimeNanoseconds(1)
    private var holdsPoll = false
    private var isPollLate = false
    private var readsPost = false
    private var hasProbe = false
    private var isWebSocket: Bool
    private var isClosing = false
    private var isLeaving = false
    private var hasEnded = false
    private var isQueueEmpty = true

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = CommandBytes(bytes)
        var target = EngineTarget(isWebSocket: input.byte() & 1 == 1)
        while !input.isEmpty {
            let command = input.byte()
            try target.run(command, input.byte())
            try target.checkState()
        }
    }

    private init(isWebSocket: Bool) {
        self.isWebSocket = isWebSocket
        self.session = EngineSession(
            transport: isWebSocket ? .websocket : .polling, at: self.now, options: Self.options)
    }

    private mutating func run(_ command: UInt8, _ value: UInt8) throws(Finding) {
        switch command % 14 {
        case 0: try self.advance(by: .milliseconds(Int64(value) * 100))
        case 1: try self.poll()
        case 2:
            self.isQueueEmpty = false
            let answers = self.session.answerPoll()
            try Finding.check(answers == self.holdsPoll, "a held poll is answered when something is queued")
            if answers { self.isQueueEmpty = true }
            self.holdsPoll = false
        case 3: try self.pollLost()
        case 4: try self.post(value)
        case 5: try self.postBody()
        case 6:
            let ending = value & 1 == 0 ? self.session.postTooLarge() : self.session.postLost()
            try Finding.check((ending != nil) == self.readsPost, "only a post under way gets too large, or lost")
            self.readsPost = false
            if let ending { try self.end(ending) }
        case 7: try self.receive(EnginePacketType(rawValue: 0x30 + value % 7) ?? .noop)
        case 8: if let ending = self.session.receiveInvalid() { try self.end(ending) }
        case 9: try self.upgradeRequest()
        case 10: try self.probe(EnginePacketType(rawValue: 0x30 + value % 7) ?? .noop, isProbe: value & 0x80 == 0)
        case 11:
            try self.expectProbe(self.session.probeInvalid(), .closeProbe)
            self.hasProbe = false
        case 12:
            self.session.probeLost()
            self.hasProbe = false
        default: try self.close(value)
        }
    }

    private mutating func advance(by time: TimeAmount) throws(Finding) {
        self.now = self.now + time
        for _ in 0..<8 {
            switch self.session.heartbeat(at: self.now, options: Self.options) {
            case .none: return
            case .sendPing:
                try Finding.check(!self.isClosing && !self.hasEnded, "only an open session is pinged")
            case .closeProbe:
                try Finding.check(self.hasProbe, "only an upgrade under way takes too long")
                self.hasProbe = false
            case .end(let ending): try self.end(ending)
            }
        }
        throw Finding(description: "timers come to rest")
    }

    private mutating func poll() throws(Finding) {
        switch self.session.poll(isQueueEmpty: self.isQueueEmpty, at: self.now) {
        case .hold:
            try Finding.check(!self.holdsPoll && self.isQueueEmpty && !self.isWebSocket, "one poll waits, for nothing")
            self.holdsPoll = true
            self.isPollLate = self.hasProbe
        case .answer:
            try Finding.check(!self.isQueueEmpty, "a poll is answered with what is queued")
            self.isQueueEmpty = true
        case .holdBriefly:
            try Finding.check(
                !self.holdsPoll && self.isQueueEmpty && self.hasProbe, "a poll waits briefly for an upgrade")
            self.holdsPoll = true
            self.isPollLate = true
        case .last(let ending):
            try Finding.check(self.isClosing && !self.isLeaving, "the last poll is that of a closing session")
            try self.end(ending)
        case .overtaken(let ending):
            try Finding.check(self.isLeaving, "a poll is overtaken by the client's close")
            try self.end(ending)
        case .overlap(let ending):
            try Finding.check(self.holdsPoll && ending.poll == .close, "the first of two polls gets a close packet")
            try self.end(ending)
        case .expired(let ending): try self.end(ending)
        case .refuse(let code): try self.checkRefusal(code)
        }
    }

    private mutating func pollLost() throws(Finding) {
        let ending = self.session.pollLost()
        try Finding.check((ending != nil) == self.holdsPoll, "only a held poll can be lost")
        self.holdsPoll = false
        if let ending { try self.end(ending) }
    }

    private mutating func post(_ value: UInt8) throws(Finding) {
        let length = value & 2 == 0 ? Int(value) : Self.options.maxPayload + Int(value) - 200
        let action = self.session.post(
            isOctetStream: value & 1 == 1, contentLength: value & 4 == 0 ? length : nil, at: self.now,
            options: Self.options)
        switch action {
        case .read:
            try Finding.check(!self.readsPost && !self.isWebSocket && value & 1 == 0, "one post is read at a time")
            self.readsPost = true
        case .reject(_, let ending), .expired(let ending): try self.end(ending)
        case .refuse(let code): try self.checkRefusal(code)
        }
    }

    private mutating func postBody() throws(Finding) {
        switch self.session.postBody() {
        case .decode: try Finding.check(self.readsPost, "only a post that is read has a body")
        case .refuse(let code):
            try Finding.check(!self.readsPost, "the body of a post that is read is decoded")
            try Finding.check((code == .sessionUnknown) == self.hasEnded, "a session that ended is unknown")
        }
        self.readsPost = false
    }

    private mutating func receive(_ type: EnginePacketType) throws(Finding) {
        switch self.session.receive(type, at: self.now, options: Self.options) {
        case .none: break
        case .message:
            try Finding.check(type == .message && !self.isClosing && !self.hasEnded, "an open session gets messages")
        case .leave(let closesProbe):
            try Finding.check(
                type == .close && !self.isWebSocket && !self.holdsPoll, "a client leaves while none polls")
            try Finding.check(closesProbe == self.hasProbe, "the probe of a leaving session is closed")
            self.hasProbe = false
            self.isClosing = true
            self.isLeaving = true
        case .end(let ending): try self.end(ending)
        }
    }

    private mutating func upgradeRequest() throws(Finding) {
        switch self.session.upgradeRequest(at: self.now, options: Self.options) {
        case .accept:
            try Finding.check(!self.hasProbe && !self.isWebSocket && !self.isClosing, "one upgrade at a time")
            self.hasProbe = true
        case .acceptAndClose:
            try Finding.check(
                self.hasProbe || self.isWebSocket || self.isClosing, "a second WebSocket is closed (SOCKETIO §7.10)")
        case .expired(let ending): try self.end(ending)
        case .refuse(let code): try self.checkRefusal(code)
        }
    }

    private mutating func probe(_ type: EnginePacketType, isProbe: Bool) throws(Finding) {
        switch self.session.probe(type, isProbe: isProbe, at: self.now, options: Self.options) {
        case .none: try Finding.check(!self.hasProbe, "a packet of a probe has an effect")
        case .sendPong(let releasesPoll):
            try Finding.check(self.hasProbe && type == .ping && isProbe, "a probe is answered")
            try Finding.check(releasesPoll == self.holdsPoll, "a held poll is to be released")
        case .upgraded(let poll, let cutsPost):
            try Finding.check(self.hasProbe && type == .upgrade, "a session is upgraded once")
            try Finding.check(cutsPost == self.readsPost, "the post that is under way is cut off")
            let expected: PollRelease = self.holdsPoll ? self.isPollLate ? .refuse : .noop : .none
            try Finding.check(poll == expected, "a held poll is released, or refused if it came late")
            self.holdsPoll = false
            self.readsPost = false
            self.hasProbe = false
            self.isWebSocket = true
            self.isQueueEmpty = true
        case .closeProbe:
            try Finding.check(self.hasProbe, "only a probe is closed")
            self.hasProbe = false
        }
    }

    private func expectProbe(_ action: ProbeAction, _ expected: ProbeAction) throws(Finding) {
        try Finding.check(action == (self.hasProbe ? expected : .none), "only a probe is closed")
    }

    private mutating func close(_ value: UInt8) throws(Finding) {
        let reason = CloseReason.allCases[Int(value) % CloseReason.allCases.count]
        if value & 0x80 == 0 {
            switch self.session.close(reason, at: self.now, options: Self.options) {
            case .end(let ending): try self.end(ending)
            case .waitForPoll(let closesProbe):
                try Finding.check(closesProbe == self.hasProbe, "the probe of a closing session is closed")
                self.hasProbe = false
                self.isClosing = true
            case .none: try Finding.check(self.isClosing || self.hasEnded, "an open session can be closed")
            }
        } else if let ending = self.session.end(reason) {
            try self.end(ending)
        } else {
            try Finding.check(self.hasEnded, "a session can be ended")
        }
    }

    private func checkRefusal(_ code: EngineErrorCode) throws(Finding) {
        let isGone = self.hasEnded || self.isLeaving
        try Finding.check((code == .sessionUnknown) == isGone, "a session that ended is unknown")
        try Finding.check(isGone || self.isWebSocket, "an open polling session refuses nothing")
    }

    /// Everything that is open is released, once.
    private mutating func end(_ ending: EngineEnding) throws(Finding) {
        try Finding.check(!self.hasEnded, "a session ends once")
        try Finding.check(self.holdsPoll || ending.poll == .none, "only a held poll is answered")
        try Finding.check(ending.cutsPost == self.readsPost, "the post that is under way is cut off")
        try Finding.check(ending.closesWebSocket == self.isWebSocket, "the WebSocket is closed")
        try Finding.check(ending.closesProbe == self.hasProbe, "the probe is closed")
        try Finding.check(ending.wasAnnounced == self.isClosing, "an end is announced once")
        self.hasEnded = true
        self.isClosing = false
        self.isLeaving = false
        self.holdsPoll = false
        self.readsPost = false
        self.hasProbe = false
    }

    private func checkState() throws(Finding) {
        try Finding.check(self.session.isClosed == self.hasEnded, "closed is what has ended")
        try Finding.check(self.session.isOpen == (!self.hasEnded && !self.isClosing), "open is what has not")
        try Finding.check((self.session.nextDeadline == nil) == self.hasEnded, "a session that lives has a timer")
        try Finding.check(self.session.isUpgrading == self.hasProbe, "a probe is an upgrade")
        try Finding.check(self.session.isPollHeld == self.holdsPoll, "a poll is held")
        try Finding.check((self.session.transport == .websocket) == self.isWebSocket, "the transport is known")
    }
}
