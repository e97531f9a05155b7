import NIOCore
import Testing

@testable import Routing
@testable import Wire

/// SOCKETIO §13: what a request to all nodes has brought, and who is silent.
@Suite struct ClusterRequestTests {
    private let nodes = [NodeID(high: 1, low: 0), NodeID(high: 2, low: 0)]

    private func item(_ text: String) -> RoomReply.Item { RoomReply.Item(text: ByteBuffer(string: text)) }

    @Test("§12: complete once all nodes have said how much will come, and it has")
    func complete() {
        var machine = ClusterRequestMachine(loops: 1)
        machine.report(.loop(0), expected: 1, items: [])
        machine.report(.loop(0), expected: nil, items: [self.item("own")])
        #expect(!machine.isComplete)
        machine.ask(self.nodes)
        machine.report(.node(self.nodes[0]), expected: 0, items: [])
        #expect(!machine.isComplete)
        #expect(machine.silent == [self.nodes[1]])
        // Answers may overtake the number.
        machine.report(.node(self.nodes[1]), expected: nil, items: [self.item("b")])
        #expect(!machine.isComplete)
        machine.report(.node(self.nodes[1]), expected: 2, items: [nil])
        #expect(machine.isComplete)
        #expect(machine.items.map { String(buffer: $0.text) } == ["own", "b"])
        #expect(machine.withoutAnswer == 1)
        #expect(machine.missing == 0)
    }

    @Test("§13: a node that answers before the list of the asked is known counts")
    func early() {
        var machine = ClusterRequestMachine(loops: 1)
        machine.report(.node(self.nodes[0]), expected: 1, items: [self.item("a")])
        machine.report(.loop(0), expected: 0, items: [])
        machine.ask([self.nodes[0]])
        #expect(machine.isComplete)
    }

    @Test("§13: a departed node is not waited for, and is named; who owes some answers is silent")
    func departures() {
        var machine = ClusterRequestMachine(loops: 1)
        machine.report(.loop(0), expected: 0, items: [])
        machine.ask(self.nodes)
        machine.report(.node(self.nodes[0]), expected: 3, items: [self.item("a")])
        machine.depart(self.nodes[1])
        #expect(!machine.isComplete)
        #expect(machine.departed == [self.nodes[1]])
        #expect(machine.silent == [self.nodes[0]])
        #expect(machine.missing == 2)
        machine.depart(self.nodes[0])
        #expect(machine.isComplete)
        #expect(machine.items.count == 1)
        // What was on its way is kept, and makes nobody wait again.
        machine.report(.node(self.nodes[0]), expected: nil, items: [self.item("late")])
        machine.report(.node(self.nodes[1]), expected: 5, items: [])
        #expect(machine.isComplete)
        #expect(machine.items.count == 2)
    }

    @Test("§18: what exceeds the limits of one request is counted, not kept")
    func limits() {
        var limits = ClusterRequestMachine.Limits()
        limits.items = 2
        limits.bytes = 10
        var machine = ClusterRequestMachine(loops: 1, limits: limits)
        machine.ask([])
        machine.report(
            .loop(0), expected: 4,
            items: [self.item("123456"), self.item("1234567"), self.item("1234"), self.item("1")])
        #expect(machine.isComplete)
        #expect(machine.items.map { String(buffer: $0.text) } == ["123456", "1234"])
        #expect(machine.dropped == 2)
    }

    @Test("§13: time over is no error: partial results, and the names of the silent")
    func timeout() async throws {
        let requests = ClusterRequests()
        let id = try requests.begin(loops: 1)
        requests.report(id, .loop(0), expected: 1, items: [self.item("own")])
        requests.ask(self.nodes, id)
        let replies = await requests.wait(id, timeout: .zero)
        #expect(replies.silent == self.nodes)
        #expect(replies.items.count == 1)
        #expect(!replies.isComplete)
        #expect(requests.count == 0)
        // Too late: nobody waits, nothing is kept (the leak of the reference server, §19).
        requests.report(id, .node(self.nodes[0]), expected: 1, items: [nil])
        #expect(requests.count == 0)
    }

    @Test("§18: requests under way are bounded, and refused by name")
    func full() async throws {
        let requests = ClusterRequests(limit: 1)
        let id = try requests.begin(loops: 1)
        #expect(throws: ClusterRequests.Full()) { try requests.begin(loops: 1) }
        requests.ask([], id)
        requests.report(id, .loop(0), expected: 0, items: [])
        let replies = await requests.wait(id, timeout: .seconds(600))
        #expect(replies.isComplete)
        #expect(try requests.begin(loops: 1) != id)
    }

    @Test("§13: a node that dies ends the waiting for it, in all requests")
    func death() async throws {
        let requests = ClusterRequests()
        let ids = [try requests.begin(loops: 1), try requests.begin(loops: 1)]
        for id in ids {
            requests.report(id, .loop(0), expected: 0, items: [])
            requests.ask(self.nodes, id)
        }
        #expect(requests.awaited == Set(self.nodes))
        async let first = requests.wait(ids[0], timeout: .seconds(600))
        async let second = requests.wait(ids[1], timeout: .seconds(600))
        for node in self.nodes { requests.depart(node) }
        #expect(await first.departed == self.nodes)
        #expect(await second.departed == self.nodes)
    }
}
