import NIOCore
import Testing

@testable import Wire

@Suite struct WireSocketSessionTests {
    private static let start = NIODeadline.uptimeNanoseconds(0)
    private static let options = SocketOptions(
        connectTimeout: .seconds(45), maxNamespaces: 3, attachmentTimeout: .seconds(20))

    /// A session and what it is told, in the words of the wire (without Engine.IO's `4`).
    private struct Driver {
        var session = SocketSession(at: start, options: options)

        mutating func text(_ text: String, at now: NIODeadline = start, answersActions: Bool = false) -> String {
            var options = options
            options.answersMalformedActions = answersActions
            return WireFixture.withBytes(text) { bytes in
                switch self.session.receive(text: bytes, at: now, options: options) {
                case .none: return "none"
                case .connect(let slot, let packet):
                    return "connect \(slot.rawValue) \(self.slice(bytes, packet.payload))"
                case .connectError(_, let refusal): return "error \(refusal.rawValue)"
                case .event(let slot, let packet): return "event \(slot.rawValue) \(packet.name(in: bytes))"
                case .ack(let slot, let packet): return "ack \(slot.rawValue) \(packet.ackID ?? -1)"
                case .attached(let slot, let attached): return "attached \(slot.rawValue) \(attached.attachments.count)"
                case .malformedAction(let id): return "malformed action \(id ?? -1)"
                case .left(let slot): return "left \(slot.rawValue)"
                case .close(let reason): return "close \(reason.text)"
                }
            }
        }

        mutating func binary(_ bytes: [UInt8]) -> SocketAction {
            bytes.withUnsafeBytes { self.session.receive(binary: $0, options: options) }
        }

        private func slice(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
            WireFixture.string(.init(rebasing: bytes[range]))
        }
    }

    private func connected() -> Driver {
        var driver = Driver()
        #expect(driver.text("0") == "connect 0 ")
        let accepted = driver.session.accept(.root)
        #expect(accepted)
        return driver
    }

    @Test("SOCKETIO §11: join with auth, talk, leave, join again")
    func transcript() {
        var driver = Driver()
        #expect(driver.text("0{\"token\":\"123\"}") == "connect 0 {\"token\":\"123\"}")
        #expect(driver.session.isPending(.root))
        #expect(driver.session.accept(.root) == true)
        #expect(driver.text("2[\"m\",1]") == "event 0 m")
        #expect(driver.text("37[1]") == "ack 0 7")
        #expect(driver.text("0/custom,{\"a\":1}") == "connect 1 {\"a\":1}")
        #expect(driver.session.accept(NamespaceSlot(rawValue: 1)) == true)
        #expect(driver.session.name(of: NamespaceSlot(rawValue: 1)) == "/custom")
        #expect(driver.session.connected == [.root, NamespaceSlot(rawValue: 1)])
        #expect(driver.text("2/custom,[\"c\"]") == "event 1 c")
        #expect(driver.text("1/custom") == "left 1")
        #expect(driver.text("2[\"still\"]") == "event 0 still")
        #expect(driver.text("1") == "left 0")
        #expect(driver.text("0") == "connect 0 ")
        #expect(driver.session.accept(.root) == true)
        #expect(driver.session.connected == [.root])
    }

    @Test(
        "AC-12: an action that is no JSON, or nested too deeply, is answered, and the session goes on",
        arguments: [
            ("2[\"action\",{\"_id\":NaN}]", "malformed action -1"), ("27[\"action\",", "malformed action 7"),
            ("2/,12[ \"\\u0061ction\" ,{]", "malformed action 12"),
            ("2[\"action\"," + String(repeating: "[", count: 100), "malformed action -1"),
            // What may be anything ends the session as ever (SOCKETIO §10.3).
            ("2[\"action\"", "close parse error"), ("2[\"actions\",{]", "close parse error"),
            ("2/other,[\"action\",{]", "close parse error"), ("3[\"action\",{]", "close parse error"),
            ("2[\"action", "close parse error"), ("299999999999999999[\"action\",{]", "close parse error"),
            ("51-[\"action\",{]", "close parse error"),
        ])
    func malformedActions(text: String, outcome: String) {
        var driver = self.connected()
        #expect(driver.text(text, answersActions: true) == outcome)
        if outcome.hasPrefix("malformed") {
            #expect(driver.text("2[\"still\"]") == "event 0 still")
            #expect(driver.text(text) == "close parse error", "only where it is asked for")
        }
        var outside = Driver()
        #expect(outside.text(text, answersActions: true).hasPrefix("close"), "not before it has joined")
    }

    @Test(
        "SOCKETIO §10.3, §11: what ends the session, by state",
        arguments: [
            ("4{}", CloseReason.parseError), ("abc", .parseError), ("", .parseError), ("2{}", .parseError),
            ("0", .forcedServerClose), ("0/,", .forcedServerClose), ("2/random,[\"x\"]", .forcedServerClose),
            ("2/custom[\"x\"]", .parseError), ("1/random", .forcedServerClose), ("31", .parseError),
            ("3/random,1[]", .forcedServerClose), ("511-[\"x\"]", .parseError), ("1{}", .parseError),
            ("4{\"message\":\"x\"}", .parseError),
        ])
    func closes(text: String, reason: CloseReason) {
        var driver = self.connected()
        #expect(driver.text(text) == "close \(reason.text)")
        // Nothing is listened to afterwards, but who was connected is still known, to be told once.
        #expect(driver.text("2[\"late\"]") == "none")
        #expect(driver.session.connected == [.root])
        driver.session.end()
        #expect(driver.session.connected.isEmpty)
        #expect(driver.session.nextDeadline == nil)
    }

    @Test("SOCKETIO §10.3, §19: nothing but CONNECT before CONNECT is accepted, and CONNECT once")
    func beforeAccepted() {
        for text in ["2[\"x\"]", "1", "31[]", "51-[\"x\"]"] {
            var driver = Driver()
            #expect(driver.text(text) == "close forced server close", "\(text) first")
            driver = Driver()
            #expect(driver.text("0") == "connect 0 ")
            #expect(driver.text(text) == "close forced server close", "\(text) while pending")
        }
        var twice = Driver()
        #expect(twice.text("0") == "connect 0 ")
        #expect(twice.text("0") == "close forced server close")
        #expect(twice.session.accept(.root) == false)
        var custom = Driver()
        #expect(custom.text("0/a") == "connect 1 ")
        #expect(custom.text("0/a") == "close forced server close")
        var left = self.connected()
        #expect(left.text("1") == "left 0")
        #expect(left.text("2[\"x\"]") == "close forced server close")
    }

    @Test("SOCKETIO §11.3, §11.6: a refused namespace leaves the session open; a late answer changes nothing")
    func refused() {
        var driver = Driver()
        #expect(driver.text("0/random") == "connect 1 ")
        #expect(driver.session.refuse(NamespaceSlot(rawValue: 1)) == true)
        #expect(driver.session.accept(NamespaceSlot(rawValue: 1)) == false)
        #expect(driver.session.refuse(NamespaceSlot(rawValue: 1)) == false)
        #expect(driver.text("0/other") == "connect 1 ")
        #expect(driver.session.accept(NamespaceSlot(rawValue: 1)) == true)
        #expect(driver.session.name(of: NamespaceSlot(rawValue: 1)) == "/other")
        #expect(driver.text("0") == "connect 0 ")
        driver.session.end()
        #expect(driver.session.accept(.root) == false)
        #expect(!driver.session.isConnected(NamespaceSlot(rawValue: 9)))
    }

    @Test("SOCKETIO §18: too many namespaces and too much auth are refused, not closed")
    func limits() {
        var driver = self.connected()
        #expect(driver.text("0/a") == "connect 1 ")
        #expect(driver.text("0/b") == "connect 2 ")
        #expect(driver.text("0/c") == "error Too many namespaces")
        #expect(driver.session.refuse(NamespaceSlot(rawValue: 1)) == true)
        #expect(driver.text("0/c") == "connect 1 ")
        var auth = Driver()
        let filler = String(repeating: "x", count: 16_384)
        #expect(auth.text("0{\"a\":\"\(filler)\"}") == "error Auth too large")
        #expect(auth.text("0") == "connect 0 ")
    }

    @Test("SOCKETIO §11.2: without a namespace the connect timeout runs, and anew after the last one is left")
    func connectTimeout() {
        var driver = Driver()
        let second = TimeAmount.seconds(1)
        #expect(driver.session.nextDeadline == Self.start + second * 45)
        #expect(driver.session.expire(at: Self.start + second * 45 - .nanoseconds(1)) == nil)
        #expect(driver.text("0") == "connect 0 ")
        #expect(driver.session.nextDeadline == nil)
        #expect(driver.session.accept(.root) == true)
        #expect(driver.session.expire(at: Self.start + second * 100) == nil)
        #expect(driver.text("1", at: Self.start + second * 100) == "left 0")
        #expect(driver.session.nextDeadline == Self.start + second * 145)
        #expect(driver.session.expire(at: Self.start + second * 145) == .forcedServerClose)
        #expect(driver.session.expire(at: Self.start + second * 146) == nil)

        var refused = Driver()
        #expect(refused.text("0") == "connect 0 ")
        #expect(refused.session.refuse(.root) == true)
        #expect(refused.session.expire(at: Self.start + second * 45) == .forcedServerClose)
    }

    @Test("SOCKETIO §11.12: the server leaves a namespace, once")
    func serverLeaves() {
        var driver = self.connected()
        #expect(driver.session.leave(.root, at: Self.start, options: Self.options) == true)
        #expect(driver.session.leave(.root, at: Self.start, options: Self.options) == false)
        #expect(driver.session.nextDeadline == Self.start + .seconds(45))
    }

    @Test("SOCKETIO §10.2: a binary event is complete with its last attachment")
    func attachments() throws {
        var driver = self.connected()
        let wire = "52-7[\"b\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"
        #expect(driver.text(wire, at: Self.start + .seconds(1)) == "none")
        #expect(driver.session.nextDeadline == Self.start + .seconds(21))
        #expect(driver.binary([1]) == .none)
        guard case .attached(.root, let attached) = driver.binary([2, 3]) else {
            Issue.record("the packet is complete")
            return
        }
        #expect(WireFixture.string(attached.text) == wire)
        #expect(attached.packet.ackID == 7)
        #expect(attached.attachments == [ByteBuffer(bytes: [1]), ByteBuffer(bytes: [2, 3])])
        #expect(driver.session.nextDeadline == nil)
        #expect(driver.text("61-3[{\"_placeholder\":true,\"num\":0}]") == "none")
        guard case .attached(.root, let ack) = driver.binary([9]) else {
            Issue.record("the ack is complete")
            return
        }
        #expect(ack.packet.kind == .binaryAck)
    }

    @Test("SOCKETIO §10.3: attachments out of turn, text among them, and packets without any")
    func outOfTurn() {
        var driver = self.connected()
        #expect(driver.binary([1]) == .close(.parseError))
        driver = self.connected()
        #expect(driver.text("51-[\"b\"]") == "none")
        #expect(driver.text("2[\"x\"]") == "close parse error")
        // §19: an announcement of none is complete, and leaves nothing behind.
        driver = self.connected()
        #expect(driver.text("50-[\"b\"]") == "event 0 b")
        #expect(driver.text("2[\"x\"]") == "event 0 x")
    }

    @Test("SOCKETIO §18: attachments are bounded in bytes and time")
    func attachmentLimits() {
        var options = Self.options
        options.maxPacketBytes = 40
        var session = SocketSession(at: Self.start, options: options)
        let begin = WireFixture.withBytes("0") { session.receive(text: $0, at: Self.start, options: options) }
        #expect(begin != .close(.parseError))
        #expect(session.accept(.root) == true)
        let text = "52-[\"b\"]"
        let waiting = WireFixture.withBytes(text) { session.receive(text: $0, at: Self.start, options: options) }
        #expect(waiting == .none)
        let rest = [UInt8](repeating: 0, count: 40 - text.utf8.count)
        #expect(rest.withUnsafeBytes { session.receive(binary: $0, options: options) } == .none)
        #expect([0].withUnsafeBytes { session.receive(binary: $0, options: options) } == .close(.parseError))

        var late = self.connected()
        #expect(late.text("51-[\"b\"]") == "none")
        #expect(late.session.expire(at: Self.start + .seconds(20) - .nanoseconds(1)) == nil)
        #expect(late.session.expire(at: Self.start + .seconds(20)) == .parseError)
        #expect(late.binary([1]) == .none)
        #expect(late.session.connected == [.root])
    }

    @Test("An attachment for a namespace that the server has left meanwhile is dropped")
    func leftMeanwhile() {
        var driver = self.connected()
        #expect(driver.text("51-[\"b\"]") == "none")
        #expect(driver.session.leave(.root, at: Self.start, options: Self.options) == true)
        #expect(driver.binary([1]) == .none)
    }

    @Test("A session that only joins / is small")
    func memory() { #expect(MemoryLayout<SocketSession>.size <= 32) }

    @Test("SOCKETIO §12, §19 (acks that leaked): they are taken once, expire, and are capped")
    func acks() throws {
        var table = AckTable<String>()
        try table.expect(1, "a", until: Self.start + .seconds(1))
        try table.expect(2, "b", until: Self.start + .seconds(2))
        #expect(throws: AckTable<String>.Refusal.duplicate) { try table.expect(2, "c", until: Self.start) }
        #expect(table.nextDeadline == Self.start + .seconds(1))
        #expect(table.take(99) == nil)
        #expect(table.expire(at: Self.start + .seconds(1) - .nanoseconds(1)) == [])
        #expect(table.expire(at: Self.start + .seconds(1)) == ["a"])
        #expect(table.take(1) == nil)
        #expect(table.take(2) == "b")
        #expect(table.take(2) == nil)
        #expect(table.isEmpty)
        for id in 0..<1_024 { try table.expect(Int64(id), "x", until: Self.start) }
        #expect(throws: AckTable<String>.Refusal.full) { try table.expect(5_000, "y", until: Self.start) }
        #expect(table.removeAll().count == 1_024)
        #expect(table.isEmpty)
    }
}
