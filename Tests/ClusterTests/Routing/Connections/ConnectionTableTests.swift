import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Routing
@testable import Wire

/// The per-loop table behind every delivery (SPEC EV-1, EV-3, LC-5).
@Suite struct ConnectionTableTests {
    /// A connection that remembers what it was given, in order.
    private final class Recorder: LocalConnection, ChannelInboundHandler {
        /// What members are given in their box.
        typealias InboundIn = ByteBuffer

        let socket: SocketID
        var prepared: SocketID { self.socket }
        private(set) var offered: [Delivery] = []
        var place = ConnectionPlace.nowhere
        private(set) var log: [String] = []
        private(set) var writes = 0
        /// Its client reads.
        var reads = true
        var hasWrittenAll: Bool { self.reads }

        init() { self.socket = .random(on: NodeID(high: 1, low: 1)) }

        func transmit(_ frames: NIOAny, packets: Int, bytes: Int) {
            self.writes += 1
            var bytes = self.unwrapInboundIn(frames)
            while bytes.readableBytes > 0 {
                guard let header = bytes.readBytes(length: 2), let body = bytes.readString(length: Int(header[1]))
                else {
                    Issue.record("not a small text frame")
                    return
                }
                self.log.append(body)
            }
        }

        func offer(_ packet: OutboundPacket, _ mode: Delivery) { self.offered.append(mode) }
        func enqueue(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
            self.log.append("4" + String(buffer: packet.text))
        }

        func end(_ reason: LogoutReason) { self.log.append("end \(reason.rawValue)") }
    }

    private let loop = EmbeddedEventLoop()
    private let alice = RouteKey(domain: "d", user: "alice")
    private let bob = RouteKey(domain: "d", user: "bob")

    private func packet(_ text: String) -> OutboundPacket { OutboundPacket(text: ByteBuffer(string: text)) }

    @Test("EV-1: every connection of the user gets the event, nobody else does")
    func fanOut() {
        let table = ConnectionTable(eventLoop: self.loop)
        let tabs = (0..<3).map { _ in Recorder() }
        let other = Recorder()
        for (tab, client) in zip(tabs, ["phone", "phone", "laptop"]) {
            _ = table.join(tab, key: self.alice, client: client)
            table.setStreaming(tab, true)
        }
        _ = table.join(other, key: self.bob, client: "phone")
        table.setStreaming(other, true)
        #expect(table.deliver(self.packet("2[1]"), to: self.alice, client: nil) == 3)
        #expect(table.deliver(self.packet("2[2]"), to: self.alice, client: "phone") == 2)
        #expect(table.deliver(self.packet("2[3]"), to: self.alice, client: "watch") == 0)
        self.loop.run()
        #expect(tabs.map(\.log) == [["42[1]", "42[2]"], ["42[1]", "42[2]"], ["42[1]"]])
        #expect(other.log.isEmpty)
    }

    @Test("EV-2: what was written is told by device, once, behind the write, and never of who does not read")
    func tally() {
        let table = ConnectionTable(eventLoop: self.loop)
        let tabs = (0..<4).map { _ in Recorder() }
        for (tab, client) in zip(tabs, ["phone", "phone", "laptop", "watch"]) {
            _ = table.join(tab, key: self.alice, client: client)
            // The last one is not ready, or polls.
            table.setStreaming(tab, client != "watch")
        }
        tabs[1].reads = false
        tabs[3].reads = false
        let reports = Mutex<[Set<WrittenDevice>]>([])
        func send(client: String?, mode: Delivery = .required) -> Int {
            let tally = WrittenTally { devices in reports.withLock { $0.append(Set(devices)) } }
            tally.expect(1)
            return table.deliver(
                .init(key: self.alice, client: client, packet: self.packet("2[1]"), mode: mode, tally: tally))
        }
        #expect(send(client: nil) == 4)
        #expect(reports.withLock { $0.isEmpty })
        self.loop.run()
        #expect(tabs.map(\.log) == Array(repeating: ["42[1]"], count: 4))
        let all: Set<WrittenDevice> = [
            .init(client: "phone", written: 1, pending: 1), .init(client: "laptop", written: 1, pending: 0),
            .init(client: "watch", written: 0, pending: 1),
        ]
        #expect(reports.withLock { $0 } == [all])
        _ = send(client: "laptop")
        _ = send(client: "laptop", mode: .volatile)
        _ = send(client: "tablet")
        self.loop.run()
        #expect(
            reports.withLock { $0.dropFirst() } == [
                [.init(client: "laptop", written: 1, pending: 0)],
                // It may have been dropped.
                [.init(client: "laptop", written: 0, pending: 1)], [],
            ])
    }

    @Test("A tick's events leave with one write per connection")
    func coalescing() {
        let table = ConnectionTable(eventLoop: self.loop)
        let tab = Recorder()
        _ = table.join(tab, key: self.alice, client: "c")
        table.setStreaming(tab, true)
        for number in 0..<10 { _ = table.deliver(self.packet("2[\(number)]"), to: self.alice, client: nil) }
        self.loop.run()
        #expect(tab.writes == 1)
        #expect(tab.log == (0..<10).map { "42[\($0)]" })
    }

    @Test("LC-5: a pending connection is handed each event once, also when it becomes ready in the same tick")
    func pendingThenReady() {
        let table = ConnectionTable(eventLoop: self.loop)
        let tab = Recorder()
        let ready = Recorder()
        _ = table.join(ready, key: self.alice, client: "c")
        table.setStreaming(ready, true)
        _ = table.join(tab, key: self.alice, client: "c")
        _ = table.deliver(self.packet("2[1]"), to: self.alice, client: nil)
        table.setStreaming(tab, true)
        _ = table.deliver(self.packet("2[2]"), to: self.alice, client: nil)
        self.loop.run()
        #expect(tab.log == ["42[1]", "42[2]"])
        #expect(ready.log == ["42[1]", "42[2]"])
    }

    @Test("EV-3: what waits for the tick's end goes before what is for one connection alone")
    func settleBeforeDirect() {
        let table = ConnectionTable(eventLoop: self.loop)
        let tab = Recorder()
        _ = table.join(tab, key: self.alice, client: "c")
        table.setStreaming(tab, true)
        _ = table.deliver(self.packet("2[1]"), to: self.alice, client: nil)
        table.settle(tab)
        #expect(tab.log == ["42[1]"])
        self.loop.run()
        #expect(tab.log == ["42[1]"])
    }

    @Test("A connection that leaves gets what was sent before, and nothing after")
    func leaving() {
        let table = ConnectionTable(eventLoop: self.loop)
        let tabs = (0..<3).map { _ in Recorder() }
        for tab in tabs {
            _ = table.join(tab, key: self.alice, client: "c")
            table.setStreaming(tab, true)
        }
        _ = table.deliver(self.packet("2[1]"), to: self.alice, client: nil)
        #expect(table.leave(tabs[0]) == false)
        _ = table.deliver(self.packet("2[2]"), to: self.alice, client: nil)
        self.loop.run()
        #expect(tabs.map(\.log) == [["42[1]"], ["42[1]", "42[2]"], ["42[1]", "42[2]"]])
        #expect(table.leave(tabs[2]) == false)
        #expect(table.leave(tabs[1]))
        #expect(table.leave(tabs[1]) == false)
        #expect(table.connectionCount == 0)
        #expect(table.userCount == 0)
    }

    /// The table against a plain list of connections, driven by random commands.
    @Test("Property: the table and a naive model agree", arguments: [UInt64(1), 2, 3, 4, 5])
    func model(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let table = ConnectionTable(eventLoop: self.loop)
        var members: [(connection: Recorder, key: RouteKey, client: String, expected: [String])] = []
        var gone: [(connection: Recorder, expected: [String])] = []
        for step in 0..<2_000 {
            let key = random.next() % 2 == 0 ? self.alice : self.bob
            let client = ["phone", "laptop", "watch"][Int(random.next() % 3)]
            switch random.next() % 6 {
            case 0:
                let connection = Recorder()
                let isFirst = table.join(connection, key: key, client: client)
                #expect(isFirst == !members.contains { $0.key == key })
                members.append((connection, key, client, []))
            case 1 where !members.isEmpty:
                let member = members.remove(at: Int(random.next() % UInt64(members.count)))
                let isLast = table.leave(member.connection)
                #expect(isLast == !members.contains { $0.key == member.key })
                gone.append((member.connection, member.expected))
            case 2 where !members.isEmpty:
                let member = members[Int(random.next() % UInt64(members.count))]
                table.setStreaming(member.connection, random.next() % 2 == 0)
            case 3: self.loop.run()
            default:
                let target = random.next() % 3 == 0 ? client : nil
                let matching = members.indices.filter {
                    members[$0].key == key && (target == nil || members[$0].client == target)
                }
                #expect(table.deliver(self.packet("2[\(step)]"), to: key, client: target) == matching.count)
                for index in matching { members[index].expected.append("42[\(step)]") }
            }
            #expect(table.connectionCount == members.count)
        }
        self.loop.run()
        for member in members { #expect(member.connection.log == member.expected, "seed \(seed)") }
        for member in gone { #expect(member.connection.log == member.expected, "seed \(seed)") }
    }
}
