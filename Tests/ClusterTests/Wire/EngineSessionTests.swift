import NIOCore
import Testing

@testable import Wire

@Suite struct WireEngineSessionTests {
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    static let options = EngineOptions(
        pingInterval: .milliseconds(300), pingTimeout: .milliseconds(200), upgradeTimeout: .seconds(10),
        closeTimeout: .seconds(30))

    /// A session with the options and the clock of these tests.
    struct Driver {
        var session: EngineSession
        var now = WireEngineSessionTests.start

        init(_ transport: EngineTransport) {
            self.session = EngineSession(transport: transport, at: self.now, options: options)
        }

        mutating func at(_ milliseconds: Int64) { self.now = start + .milliseconds(milliseconds) }
        mutating func heartbeat() -> HeartbeatAction { self.session.heartbeat(at: self.now, options: options) }
        mutating func poll(isQueueEmpty: Bool = true) -> PollAction {
            self.session.poll(isQueueEmpty: isQueueEmpty, at: self.now)
        }
        mutating func post(isOctetStream: Bool = false, length: Int? = 5) -> PostAction {
            self.session.post(isOctetStream: isOctetStream, contentLength: length, at: self.now, options: options)
        }
        mutating func receive(_ type: EnginePacketType) -> ReceiveAction {
            self.session.receive(type, at: self.now, options: options)
        }
        mutating func upgradeRequest() -> UpgradeAction { self.session.upgradeRequest(at: self.now, options: options) }
        mutating func probe(_ type: EnginePacketType, isProbe: Bool = false) -> ProbeAction {
            self.session.probe(type, isProbe: isProbe, at: self.now, options: options)
        }
        mutating func close(_ reason: CloseReason = .forcedClose) -> CloseAction {
            self.session.close(reason, at: self.now, options: options)
        }
        mutating func answerPoll() -> Bool { self.session.answerPoll() }
        var deadline: Int64? {
            self.session.nextDeadline.map { ($0 - start).nanoseconds / 1_000_000 }
        }
    }

    func ending(
        _ reason: CloseReason, poll: EngineEnding.Poll = .none, cutsPost: Bool = false, closesWebSocket: Bool = false,
        closesProbe: Bool = false, wasAnnounced: Bool = false
    ) -> EngineEnding {
        EngineEnding(
            reason: reason, poll: poll, cutsPost: cutsPost, closesWebSocket: closesWebSocket, closesProbe: closesProbe,
            wasAnnounced: wasAnnounced)
    }

    /// After the end everything is unknown, and nothing happens twice.
    func expectGone(_ driver: inout Driver) {
        #expect(driver.session.isClosed)
        #expect(driver.poll() == .refuse(.sessionUnknown))
        #expect(driver.post() == .refuse(.sessionUnknown))
        #expect(driver.session.postBody() == .refuse(.sessionUnknown))
        #expect(driver.upgradeRequest() == .refuse(.sessionUnknown))
        #expect(driver.receive(.message) == .none)
        #expect(driver.receive(.close) == .none)
        #expect(driver.probe(.upgrade) == .none)
        #expect(driver.heartbeat() == .none)
        #expect(driver.close() == .none)
        #expect(driver.session.end(.transportError) == nil)
        #expect(driver.session.receiveInvalid() == nil)
        #expect(driver.session.pollLost() == nil)
        #expect(driver.session.postLost() == nil)
        #expect(driver.answerPoll() == false)
        #expect(driver.session.nextDeadline == nil)
    }

    // MARK: Heartbeat

    @Test("SOCKETIO §8.1: three rounds of ping and pong, each ping one interval after the pong")
    func heartbeat() {
        var driver = Driver(.websocket)
        var next: Int64 = 300
        for _ in 0..<3 {
            #expect(driver.deadline == next)
            driver.at(next - 1)
            #expect(driver.heartbeat() == .none)
            driver.at(next)
            #expect(driver.heartbeat() == .sendPing)
            #expect(driver.heartbeat() == .none)
            #expect(driver.deadline == next + 200)
            driver.at(next + 50)
            #expect(driver.receive(.pong) == .none)
            next += 350
        }
    }

    @Test("SOCKETIO §8.1, LC-9: a silent peer is closed at open + interval + timeout, whenever the timers fired")
    func pingTimeout() {
        var driver = Driver(.websocket)
        driver.at(320)  // a timer 20 ms late
        #expect(driver.heartbeat() == .sendPing)
        #expect(driver.deadline == 500)
        driver.at(499)
        #expect(driver.heartbeat() == .none)
        driver.at(500)
        #expect(driver.heartbeat() == .end(self.ending(.pingTimeout, closesWebSocket: true)))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §8.1: past the deadline every request finds the session dead, without a timer", arguments: 0..<3)
    func lazyDeadline(request: Int) {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        driver.at(300)
        #expect(driver.heartbeat() == .sendPing)
        #expect(driver.answerPoll() == true)
        driver.at(500)
        let end = self.ending(.pingTimeout)
        switch request {
        case 0: #expect(driver.poll() == .expired(end))
        case 1: #expect(driver.post() == .expired(end))
        default: #expect(driver.upgradeRequest() == .expired(end))
        }
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §5.1, §8.2: a held poll is answered when the pong stays away")
    func timeoutWithPoll() {
        var driver = Driver(.polling)
        driver.at(300)
        #expect(driver.heartbeat() == .sendPing)
        driver.at(310)
        #expect(driver.poll(isQueueEmpty: false) == .answer)
        #expect(driver.poll() == .hold)
        driver.at(500)
        #expect(driver.heartbeat() == .end(self.ending(.pingTimeout, poll: .close)))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §19 CVE-2026-48802: pongs that nobody asked for change nothing")
    func unsolicitedPong() {
        var driver = Driver(.websocket)
        driver.at(250)
        for _ in 0..<100 { #expect(driver.receive(.pong) == .none) }
        #expect(driver.deadline == 300)
        driver.at(300)
        #expect(driver.heartbeat() == .sendPing)
    }

    @Test("SOCKETIO §8.1: other packets do not reset the heartbeat")
    func onlyPongCounts() {
        var driver = Driver(.websocket)
        driver.at(300)
        #expect(driver.heartbeat() == .sendPing)
        driver.at(400)
        #expect(driver.receive(.message) == .message)
        #expect(driver.deadline == 500)
    }

    @Test("A process that slept over the ping still gives its peers their time")
    func slept() {
        var driver = Driver(.websocket)
        driver.at(10_000)
        #expect(driver.heartbeat() == .sendPing)
        #expect(driver.deadline == 10_200)
    }

    @Test("SOCKETIO §6: a ping from the client is the wrong direction; 0, 5 and 6 are ignored")
    func wrongDirection() {
        var driver = Driver(.websocket)
        #expect(driver.receive(.open) == .none)
        #expect(driver.receive(.upgrade) == .none)
        #expect(driver.receive(.noop) == .none)
        #expect(driver.session.isOpen)
        #expect(driver.receive(.ping) == .end(self.ending(.transportError, closesWebSocket: true)))
        self.expectGone(&driver)
    }

    // MARK: Polling

    @Test("SOCKETIO §5.1: a poll waits for something to send, or takes what is there")
    func poll() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.session.isPollHeld)
        #expect(driver.answerPoll() == true)
        #expect(driver.answerPoll() == false)
        #expect(driver.poll(isQueueEmpty: false) == .answer)
        #expect(!driver.session.isPollHeld)
        #expect(driver.poll() == .hold)
    }

    @Test("SOCKETIO §5.1: of two polls the first gets 1, the second 400, and the session is gone")
    func pollOverlap() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.poll() == .overlap(self.ending(.transportError, poll: .close)))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §5.1: the loss of a held poll ends the session; that of an answered one does not")
    func pollLost() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.answerPoll() == true)
        #expect(driver.session.pollLost() == nil)
        #expect(driver.session.isOpen)
        #expect(driver.poll() == .hold)
        #expect(driver.session.pollLost() == self.ending(.transportError))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §5.2: one post after the other")
    func post() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.post() == .read)
        #expect(driver.session.postBody() == .decode)
        #expect(driver.receive(.message) == .message)
        #expect(driver.post(length: nil) == .read)
        #expect(driver.session.postBody() == .decode)
        #expect(driver.session.postBody() == .refuse(.badRequest))
    }

    @Test("SOCKETIO §5.2: overlap, octet-stream and size end the session")
    func postRefused() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.post() == .read)
        #expect(driver.post() == .reject(status: 400, self.ending(.transportError, poll: .close, cutsPost: true)))
        self.expectGone(&driver)
        driver = Driver(.polling)
        #expect(driver.post(isOctetStream: true) == .reject(status: 400, self.ending(.transportError)))
        self.expectGone(&driver)
        driver = Driver(.polling)
        #expect(driver.post(length: 1_000_000) == .read)
        driver = Driver(.polling)
        #expect(driver.post(length: 1_000_001) == .reject(status: 413, self.ending(.transportError)))
        self.expectGone(&driver)
        driver = Driver(.polling)
        #expect(driver.post(length: nil) == .read)
        #expect(driver.session.postTooLarge() == self.ending(.transportError))
        self.expectGone(&driver)
        driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.post() == .read)
        #expect(driver.session.postLost() == self.ending(.transportError, poll: .close))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §5.2: an invalid packet ends the session as parse error")
    func invalid() {
        var driver = Driver(.polling)
        #expect(driver.post() == .read)
        #expect(driver.session.postBody() == .decode)
        #expect(driver.session.receiveInvalid() == self.ending(.parseError))
        self.expectGone(&driver)
        driver = Driver(.websocket)
        #expect(driver.session.receiveInvalid() == self.ending(.parseError, closesWebSocket: true))
        self.expectGone(&driver)
    }

    // MARK: End

    @Test("SOCKETIO §5.3: the client's 1 gives the held poll a 6; on WebSocket it closes at once")
    func clientCloses() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.post() == .read)
        #expect(driver.session.postBody() == .decode)
        #expect(driver.receive(.close) == .end(self.ending(.transportClose, poll: .noop)))
        self.expectGone(&driver)
        driver = Driver(.websocket)
        #expect(driver.receive(.close) == .end(self.ending(.transportClose, closesWebSocket: true)))
        self.expectGone(&driver)
    }

    /// A session whose client has closed while none of its polls was there.
    func leaving() -> Driver {
        var driver = Driver(.polling)
        #expect(driver.post() == .read)
        #expect(driver.session.postBody() == .decode)
        #expect(driver.receive(.close) == .leave(closesProbe: false))
        #expect(driver.session.isLeaving)
        #expect(!driver.session.isOpen)
        #expect(driver.receive(.message) == .none)
        #expect(driver.close() == .none)
        #expect(driver.deadline == 100)
        return driver
    }

    @Test("SOCKETIO §17 (b): a poll that the client's closing POST overtook gets its 6")
    func clientClosesAheadOfItsPoll() {
        var driver = self.leaving()
        driver.at(99)
        #expect(driver.heartbeat() == .none)
        #expect(driver.post() == .refuse(.sessionUnknown))
        #expect(driver.upgradeRequest() == .acceptAndClose)
        #expect(driver.poll() == .overtaken(self.ending(.transportClose, wasAnnounced: true)))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §17 (b): no poll comes: the session is gone with the answer to the POST")
    func clientClosesWithoutPoll() {
        var driver = self.leaving()
        driver.at(100)
        #expect(driver.heartbeat() == .end(self.ending(.transportClose, wasAnnounced: true)))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §17 (b): a client that closes in the middle of an upgrade")
    func clientClosesWhileUpgrading() {
        var driver = Driver(.polling)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.receive(.close) == .leave(closesProbe: true))
        #expect(!driver.session.isUpgrading)
        #expect(driver.probe(.upgrade) == .none)
    }

    @Test("SOCKETIO §5.3: the server's close answers the held poll with what is queued and 1")
    func serverClosesHeldPoll() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.close() == .end(self.ending(.forcedClose, poll: .queueAndClose)))
        self.expectGone(&driver)
        driver = Driver(.websocket)
        #expect(driver.close(.serverShuttingDown) == .end(self.ending(.serverShuttingDown, closesWebSocket: true)))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §5.3: without a poll the close waits for the next one")
    func serverClosesLater() {
        var driver = Driver(.polling)
        #expect(driver.close(.forcedServerClose) == .waitForPoll(closesProbe: false))
        #expect(!driver.session.isOpen)
        #expect(!driver.session.isClosed)
        #expect(driver.close() == .none)
        #expect(driver.receive(.message) == .none)
        #expect(driver.upgradeRequest() == .acceptAndClose)
        #expect(driver.deadline == 30_000)
        driver.at(400)
        #expect(driver.heartbeat() == .none)
        #expect(driver.post() == .read)
        #expect(driver.session.postBody() == .decode)
        #expect(driver.poll() == .last(self.ending(.forcedServerClose, wasAnnounced: true)))
        self.expectGone(&driver)
    }

    @Test("SOCKETIO §5.3: and is given up after 30 s")
    func serverClosesNever() {
        var driver = Driver(.polling)
        #expect(driver.close() == .waitForPoll(closesProbe: false))
        driver.at(29_999)
        #expect(driver.heartbeat() == .none)
        driver.at(30_000)
        #expect(driver.heartbeat() == .end(self.ending(.forcedClose, wasAnnounced: true)))
        self.expectGone(&driver)
        driver = Driver(.polling)
        #expect(driver.close() == .waitForPoll(closesProbe: false))
        #expect(driver.receive(.close) == .end(self.ending(.forcedClose, wasAnnounced: true)))
        self.expectGone(&driver)
    }

    @Test(
        "SOCKETIO §8.2: a lost transport, a slow consumer, a stopping server end it once",
        arguments: CloseReason.allCases)
    func ends(reason: CloseReason) {
        var driver = Driver(.websocket)
        #expect(driver.session.end(reason) == self.ending(reason, closesWebSocket: true))
        self.expectGone(&driver)
    }

    @Test("A session is small")
    func memory() { #expect(MemoryLayout<EngineSession>.size <= 24) }
}
