import Routing
import Testing

@Suite("Emission of transitions") struct EmissionMachineTests {
    private let node = NodeID(high: 1, low: 0)
    private let key = RouteKey(domain: "localhost", user: "alice")

    private func document(
        _ sequences: ClosedRange<Int64>, key: RouteKey? = nil, owner: NodeID? = nil
    ) -> RouteDocument {
        var document = RouteDocument(key: key ?? self.key)
        document.outbox = sequences.map {
            RouteTransition(kind: .clientOnline, client: "c\($0)", sequence: $0, owner: owner ?? self.node)
        }
        return document
    }

    private func calls(_ actions: [EmissionMachine.Action]) -> [(id: Int, sequence: Int64)] {
        actions.compactMap { if case .call(let id, _, let transition) = $0 { (id, transition.sequence) } else { nil } }
    }

    @Test("LC-3: one at a time per key, in order, then one acknowledgement; repeats of an offer change nothing")
    func order() {
        var machine = EmissionMachine(node: self.node)
        machine.offer(self.document(1...3))
        for sequence in Int64(1)...3 {
            let calls = self.calls(machine.next(now: 0, mayCall: true))
            #expect(calls.map(\.sequence) == [sequence])
            machine.offer(self.document(1...3))
            #expect(machine.next(now: 0, mayCall: true) == [])
            machine.finished(calls[0].id)
        }
        #expect(
            machine.next(now: 0, mayCall: true) == [.acknowledge(self.key, through: 3, known: self.document(1...3))])
        #expect(!machine.isIdle)
        machine.offer(RouteDocument(key: self.key))
        machine.acknowledged(self.key)
        #expect(machine.isIdle)
    }

    @Test("LC-3: what the acknowledgement finds anew is emitted next")
    func foundByAcknowledgement() {
        var machine = EmissionMachine(node: self.node)
        machine.offer(self.document(1...1))
        machine.finished(self.calls(machine.next(now: 0, mayCall: true))[0].id)
        #expect(machine.next(now: 0, mayCall: true).count == 1)
        // The write that acknowledged 1 left 2, which another node had committed meanwhile.
        machine.offer(self.document(2...2))
        machine.acknowledged(self.key)
        #expect(self.calls(machine.next(now: 0, mayCall: true)).map(\.sequence) == [2])
    }

    @Test("LC-3: transitions of another owner are not touched")
    func foreign() {
        var machine = EmissionMachine(node: self.node)
        machine.offer(self.document(1...3, owner: NodeID(high: 2, low: 0)))
        #expect(machine.isIdle)
    }

    @Test("ND-3: a silenced node starts no handler; the work waits")
    func silenced() {
        var machine = EmissionMachine(node: self.node)
        machine.offer(self.document(1...1))
        #expect(machine.next(now: 0, mayCall: false) == [])
        #expect(self.calls(machine.next(now: 0, mayCall: true)).count == 1)
    }

    @Test("LC-3: a handler has 10 s; then the next one of its key runs, and its late end does no harm")
    func timeout() {
        var machine = EmissionMachine(node: self.node)
        machine.offer(self.document(1...2))
        let slow = self.calls(machine.next(now: 0, mayCall: true))[0].id
        #expect(machine.next(now: Nanoseconds.seconds(10) - 1, mayCall: true) == [])
        let next = self.calls(machine.next(now: Nanoseconds.seconds(10), mayCall: true))
        #expect(next.map(\.sequence) == [2])
        machine.finished(slow)
        #expect(machine.next(now: Nanoseconds.seconds(11), mayCall: true) == [])
        machine.finished(next[0].id)
        #expect(machine.next(now: Nanoseconds.seconds(11), mayCall: true).count == 1)
    }

    @Test("Keys run side by side up to the limit; a slow one holds up only itself")
    func bounded() {
        var machine = EmissionMachine(node: self.node, options: EmissionOptions(handlers: 2))
        for name in ["a", "b", "c"] {
            machine.offer(self.document(1...2, key: RouteKey(domain: "localhost", user: name)))
        }
        let first = self.calls(machine.next(now: 0, mayCall: true))
        #expect(first.count == 2)
        #expect(machine.next(now: 0, mayCall: true) == [])
        machine.finished(first[0].id)
        #expect(self.calls(machine.next(now: 0, mayCall: true)).map(\.sequence) == [1])
    }

    @Test("Who flaps without end is acknowledged in between")
    func batches() {
        var machine = EmissionMachine(node: self.node, options: EmissionOptions(batch: 4))
        machine.offer(self.document(1...10))
        var acknowledged: [Int64] = []
        for _ in 0..<4 { machine.finished(self.calls(machine.next(now: 0, mayCall: true))[0].id) }
        for case .acknowledge(_, let sequence, _) in machine.next(now: 0, mayCall: true) {
            acknowledged.append(sequence)
        }
        #expect(acknowledged == [4])
    }

    @Test("Handlers that never end hold their places in the end: memory is bounded")
    func hung() {
        var machine = EmissionMachine(
            node: self.node, options: EmissionOptions(handlers: 1, handlerTimeout: 10, overdueHandlers: 1))
        machine.offer(self.document(1...5))
        var now: Int64 = 0
        var started = 0
        for _ in 0..<20 {
            started += self.calls(machine.next(now: now, mayCall: true)).count
            now += 10
        }
        #expect(started == 2)
    }
}
