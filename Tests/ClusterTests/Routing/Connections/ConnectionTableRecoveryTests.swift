import NIOCore
import NIOEmbedded
import Testing

@testable import Routing
@testable import Wire

/// The positions that the table keeps while recovery is on (SOCKETIO §14.1, §14.3 "delivery gap").
@Suite struct ConnectionTableRecoveryTests {
    /// A connection as `Node` has it: its gate until it has caught up.
    private final class Member: LocalConnection, ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let socket = SocketID.random(on: NodeID(high: 1, low: 1))
        var prepared: SocketID { self.socket }
        private(set) var offered: [Delivery] = []
        var place = ConnectionPlace.nowhere
        var hasWrittenAll: Bool { true }
        var gate: RecoveryGate?
        unowned let table: ConnectionTable
        private(set) var texts: [String] = []

        init(_ table: ConnectionTable) { self.table = table }

        func transmit(_ frames: NIOAny, packets: Int, bytes: Int) {
            var bytes = self.unwrapInboundIn(frames)
            while let header = bytes.readBytes(length: 2), let body = bytes.readString(length: Int(header[1])) {
                self.texts.append(String(body.dropFirst()))
            }
        }

        func offer(_ packet: OutboundPacket, _ mode: Delivery) { self.offered.append(mode) }
        func enqueue(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
            guard self.gate != nil else { return self.texts.append(String(buffer: (stamp?.stamped ?? packet).text)) }
            if let passed = self.gate?.pass(packet, stamp?.mark) { self.texts.append(String(buffer: passed.text)) }
            guard let gate = self.gate, self.table.hasCaughtUp(self, with: gate) else { return }
            self.gate = nil
            self.table.setStreaming(self, true)
        }

        func end(_ reason: LogoutReason) {}

        /// What was received, without offsets, and the position of the newest offset.
        func received() -> (events: [String], position: RecoveryPosition?) {
            var events: [String] = []
            var position: RecoveryPosition?
            for text in self.texts {
                guard let comma = text.lastIndex(of: ",") else { continue }
                events.append(String(text[..<comma]))
                position = RecoveryPosition(
                    text: String(text[comma...].dropFirst(2).dropLast(2)), now: ConnectionTableRecoveryTests.now,
                    window: 120)
            }
            return (events, position)
        }
    }

    private static let now: Int64 = 1_800_000_000
    private let loop = EmbeddedEventLoop()
    private let alice = RouteKey(domain: "d", user: "alice")
    private let tracking = RecoveryTracking(window: 120, now: { Self.now })
    private let one = NodeID(high: 1 << 40, low: 1).stream(.identity)
    private let two = NodeID(high: 2 << 40, low: 1).stream(.identity)

    private func member(_ table: ConnectionTable, client: String = "c", isStreaming: Bool = true) -> Member {
        let member = Member(table)
        _ = table.join(member, key: self.alice, client: client)
        table.setStreaming(member, isStreaming)
        return member
    }

    private func send(
        _ number: Int64, of stream: RecoveryStream?, client: String? = nil, socket: SocketID? = nil,
        to table: ConnectionTable
    ) -> Int {
        table.deliver(
            .init(
                key: self.alice, client: client, socket: socket,
                packet: OutboundPacket(text: ByteBuffer(string: "2[\"\(number)\"]")),
                mark: stream.map { RecoveryMark(stream: $0, number: number) }))
    }

    @Test("Every event has the newest offset, those that are not in the log too (§14.1.3)")
    func offsets() {
        let table = ConnectionTable(eventLoop: self.loop, recovery: self.tracking)
        let streaming = self.member(table)
        let polling = self.member(table, isStreaming: false)
        let laptop = self.member(table, client: "laptop")
        #expect(self.send(1, of: self.one, to: table) == 3)
        #expect(self.send(2, of: self.one, client: "c", to: table) == 2)
        #expect(self.send(3, of: nil, to: table) == 3)
        #expect(self.send(4, of: self.two, to: table) == 3)
        self.loop.run()
        for member in [streaming, polling] {
            #expect(member.received().events == [#"2["1""#, #"2["2""#, #"2["3""#, #"2["4""#])
            #expect(member.received().position?[self.one] == 2)
            #expect(member.received().position?[self.two] == 4)
        }
        #expect(laptop.received().events == [#"2["1""#, #"2["3""#, #"2["4""#])
        #expect(laptop.received().position?[self.one] == 1)
        #expect(table.offset(for: laptop).map { String(buffer: $0) } != nil)
    }

    @Test("An event for one connection reaches that one, behind what was sent to all before")
    func direct() {
        let table = ConnectionTable(eventLoop: self.loop, recovery: self.tracking)
        let (first, second) = (self.member(table), self.member(table))
        #expect(self.send(1, of: self.one, to: table) == 2)
        #expect(self.send(2, of: self.one, socket: second.socket, to: table) == 1)
        #expect(self.send(3, of: self.one, socket: .random(on: NodeID(high: 9, low: 9)), to: table) == 0)
        self.loop.run()
        #expect(first.received().events == [#"2["1""#])
        #expect(second.received().events == [#"2["1""#, #"2["2""#])
        #expect(second.received().position?[self.one] == 2)
    }

    @Test("An event of the log that comes twice is given once")
    func repeated() {
        let table = ConnectionTable(eventLoop: self.loop, recovery: self.tracking)
        let member = self.member(table)
        for number: Int64 in [1, 2, 2, 1, 3] { _ = self.send(number, of: self.one, to: table) }
        self.loop.run()
        #expect(member.received().events == [#"2["1""#, #"2["2""#, #"2["3""#])
    }

    @Test("A recovered connection drops what was replayed, and shares frames once its device has caught up")
    func gate() {
        let table = ConnectionTable(eventLoop: self.loop, recovery: self.tracking)
        let other = self.member(table)
        _ = self.send(1, of: self.one, to: table)
        let member = self.member(table, isStreaming: false)
        var replayed = RecoveryPosition()
        _ = replayed.raise(to: RecoveryMark(stream: self.one, number: 3), now: Self.now)
        _ = replayed.raise(to: RecoveryMark(stream: self.two, number: 1), now: Self.now)
        member.gate = RecoveryGate(position: replayed, tracking: self.tracking)
        for number: Int64 in 2...4 { _ = self.send(number, of: self.one, to: table) }
        #expect(member.gate != nil)
        _ = self.send(1, of: self.two, to: table)
        #expect(member.gate == nil)
        _ = self.send(5, of: self.one, to: table)
        self.loop.run()
        #expect(member.received().events == [#"2["4""#, #"2["5""#])
        #expect(other.received().events == (1...4).map { "2[\"\($0)\"" } + [#"2["1""#, #"2["5""#])
        #expect(member.received().position == other.received().position)
        #expect(member.received().position?[self.two] == 1)
    }

    @Test("While its gate is up, a connection's offsets tell of what was replayed, the others' do not")
    func ownOffsets() {
        let table = ConnectionTable(eventLoop: self.loop, recovery: self.tracking)
        let other = self.member(table)
        let member = self.member(table, isStreaming: false)
        var replayed = RecoveryPosition()
        _ = replayed.raise(to: RecoveryMark(stream: self.two, number: 7), now: Self.now)
        member.gate = RecoveryGate(position: replayed, tracking: self.tracking)
        _ = self.send(1, of: self.one, to: table)
        _ = self.send(2, of: nil, to: table)
        self.loop.run()
        #expect(member.received().events == [#"2["1""#, #"2["2""#])
        #expect(member.received().position?[self.two] == 7)
        #expect(member.received().position?[self.one] == 1)
        #expect(other.received().position?[self.two] == nil)
    }

    @Test("With recovery off nothing is appended and no position is kept")
    func off() {
        let table = ConnectionTable(eventLoop: self.loop)
        let member = self.member(table)
        _ = self.send(1, of: nil, to: table)
        self.loop.run()
        #expect(member.texts == [#"2["1"]"#])
        #expect(table.offset(for: member) == nil)
        #expect(table.position(for: member) == nil)
    }
}
