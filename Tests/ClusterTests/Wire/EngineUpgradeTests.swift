import NIOCore
import Testing

@testable import Wire

/// From polling to WebSocket (SOCKETIO §7).
extension WireEngineSessionTests {
    @Test("SOCKETIO §7: probe, poll released, further polls answered, upgrade")
    func upgrade() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        driver.at(100)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.session.isUpgrading)
        #expect(driver.probe(.ping, isProbe: true) == .sendPong(releasesPoll: true))
        #expect(driver.answerPoll() == true)
        // 7.3: none stays pending; what is queued goes out over polling.
        for _ in 0..<2 {
            #expect(driver.poll() == .holdBriefly)
            #expect(driver.answerPoll() == true)
        }
        #expect(driver.poll(isQueueEmpty: false) == .answer)
        #expect(driver.session.transport == .polling)
        #expect(driver.post() == .read)
        #expect(driver.session.postBody() == .decode)
        #expect(driver.probe(.ping, isProbe: true) == .sendPong(releasesPoll: false))
        #expect(driver.probe(.upgrade) == .upgraded(poll: .none, cutsPost: false))
        #expect(driver.session.transport == .websocket)
        #expect(!driver.session.isUpgrading)
        #expect(driver.receive(.message) == .message)
        // 7.11: the ping schedule carries over.
        #expect(driver.deadline == 300)
        // 7.10: requests for the old transport and further WebSockets do not disturb it.
        #expect(driver.poll() == .refuse(.badRequest))
        #expect(driver.post() == .refuse(.badRequest))
        #expect(driver.upgradeRequest() == .acceptAndClose)
        #expect(driver.session.isOpen)
        #expect(driver.receive(.message) == .message)
    }

    @Test("SOCKETIO §7.10, §17: a poll that overtook the probe and 5 on another connection is refused")
    func upgradeOvertakenByPoll() {
        var driver = Driver(.polling)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.poll() == .hold)
        #expect(driver.probe(.ping, isProbe: true) == .sendPong(releasesPoll: true))
        #expect(driver.probe(.upgrade) == .upgraded(poll: .refuse, cutsPost: false))
        #expect(driver.answerPoll() == false)
        driver = Driver(.polling)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.probe(.ping, isProbe: true) == .sendPong(releasesPoll: false))
        #expect(driver.poll() == .holdBriefly)
        #expect(driver.probe(.upgrade) == .upgraded(poll: .refuse, cutsPost: false))
        #expect(driver.answerPoll() == false)
        // A client that waits for its probe's answer gets its poll back meanwhile.
        driver = Driver(.polling)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.poll() == .hold)
        #expect(driver.probe(.ping, isProbe: true) == .sendPong(releasesPoll: true))
        #expect(driver.answerPoll() == true)
        #expect(driver.probe(.upgrade) == .upgraded(poll: .none, cutsPost: false))
    }

    @Test("SOCKETIO §7.7: 5 without a probe is accepted, and releases what is pending")
    func upgradeWithoutProbe() {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.post() == .read)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.probe(.upgrade) == .upgraded(poll: .noop, cutsPost: true))
        #expect(driver.session.postBody() == .refuse(.badRequest))
    }

    @Test("SOCKETIO §7.1, §19: one upgrade at a time, and none on WebSocket")
    func upgradeTwice() {
        var driver = Driver(.polling)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.upgradeRequest() == .acceptAndClose)
        #expect(driver.probe(.upgrade) == .upgraded(poll: .none, cutsPost: false))
        #expect(driver.probe(.upgrade) == .none)
        var direct = Driver(.websocket)
        #expect(direct.upgradeRequest() == .acceptAndClose)
        var options = Self.options
        options.allowsUpgrades = false
        var refused = Driver(.polling)
        #expect(refused.session.upgradeRequest(at: refused.now, options: options) == .refuse(.badRequest))
    }

    @Test(
        "SOCKETIO §7.6: anything else on the new socket closes that one only",
        arguments: [
            EnginePacketType.open, .close, .ping, .pong, .message, .noop,
        ])
    func probeRefused(type: EnginePacketType) {
        var driver = Driver(.polling)
        #expect(driver.poll() == .hold)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.probe(type) == .closeProbe)
        #expect(driver.session.isPollHeld)
        #expect(driver.session.isOpen)
        // 7.8: it may try again.
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.session.probeInvalid() == .closeProbe)
        #expect(driver.session.probeInvalid() == .none)
        #expect(driver.upgradeRequest() == .accept)
        driver.session.probeLost()
        #expect(driver.answerPoll() == true)
        #expect(driver.poll() == .hold)
    }

    @Test("SOCKETIO §7.8: an upgrade that takes too long is forgotten")
    func upgradeTimeout() {
        var options = Self.options
        options.pingInterval = .seconds(60)
        var session = EngineSession(transport: .polling, at: Self.start, options: options)
        #expect(session.upgradeRequest(at: Self.start, options: options) == .accept)
        #expect(session.nextDeadline == Self.start + .seconds(10))
        #expect(session.heartbeat(at: Self.start + .seconds(10), options: options) == .closeProbe)
        #expect(session.heartbeat(at: Self.start + .seconds(10), options: options) == .none)
        #expect(session.nextDeadline == Self.start + .seconds(60))
        #expect(session.poll(isQueueEmpty: true, at: Self.start + .seconds(11)) == .hold)
    }

    @Test("SOCKETIO §7.9: the end of the session closes the new socket too")
    func endsWhileUpgrading() {
        var driver = Driver(.polling)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.session.end(.transportError) == self.ending(.transportError, closesProbe: true))
        self.expectGone(&driver)
        driver = Driver(.polling)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.close() == .waitForPoll(closesProbe: true))
        #expect(driver.probe(.upgrade) == .none)
    }

    @Test("SOCKETIO §7.11: a pong that was due over the old transport gets its time again")
    func upgradeAwaitingPong() {
        var driver = Driver(.polling)
        driver.at(300)
        #expect(driver.heartbeat() == .sendPing)
        driver.at(490)
        #expect(driver.upgradeRequest() == .accept)
        #expect(driver.probe(.upgrade) == .upgraded(poll: .none, cutsPost: false))
        #expect(driver.deadline == 690)
        #expect(driver.receive(.pong) == .none)
        #expect(driver.deadline == 790)
    }
}
