import Routing
import Testing

@Suite("Route commit rounds") struct RouteCommitMachineTests {
    private let node = NodeID(high: 1, low: 0)
    private let second = Nanoseconds.seconds(1)

    private func machine(_ options: RouteCommitOptions = RouteCommitOptions()) -> RouteCommitMachine {
        RouteCommitMachine(machine: RouteMachine(node: self.node), options: options, seed: 1)
    }

    private func key(_ name: String) -> RouteKey { RouteKey(domain: "localhost", user: name) }

    private func connection(_ number: UInt64, endpoint: String? = nil) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: SocketID(node: self.node, high: number, low: 0), node: self.node, client: "phone",
            endpoint: endpoint ?? "tab\(number)", since: 0)
    }

    private func prepare(
        _ machine: inout RouteCommitMachine, _ round: RouteCommitMachine.Round,
        _ documents: [RouteKey: RouteDocument] = [:]
    ) -> [RouteWrite] {
        machine.prepare(round, documents: documents, now: 0, clusterTime: 1_700_000_000_000, claimed: [])
    }

    private let lost = StoreError(.unknownOutcome, operation: "test", message: "")

    @Test("LC-4: all that wait for a key go into one write; a key is in one round at a time")
    func merging() throws {
        var machine = self.machine()
        let alice = self.key("alice")
        let ids = try (1...3).map {
            try unwrapMutated(machine.add(.connect(self.connection($0)), key: alice, now: 0)).id
        }
        let round = try unwrapMutated(machine.start(now: 0))
        #expect(round.reads == [alice])
        let later = try unwrapMutated(machine.add(.connect(self.connection(4)), key: alice, now: 0)).id
        #expect(machine.start(now: 0) == nil)
        let writes = self.prepare(&machine, round)
        #expect(writes.map(\.new.live.count) == [3])
        let settlement = machine.finish(round, outcomes: [.committed], now: 0)
        #expect(settlement.results.map(\.id) == ids)
        #expect(settlement.commits == writes.map(\.new))
        #expect(machine.start(now: 0) == nil, "not before the results have been passed on")
        machine.release(round)
        // What is known from the commit needs no read.
        let next = try unwrapMutated(machine.start(now: 0))
        #expect(next.reads == [])
        #expect(self.prepare(&machine, next).map(\.expectedVersion) == [1])
        #expect(machine.finish(next, outcomes: [.committed], now: 0).results.map(\.id) == [later])
        machine.release(next)
        #expect(machine.isIdle)
    }

    @Test("LC-4: only losers are read again, after a random pause")
    func conflict() throws {
        var machine = self.machine()
        let keys = ["alice", "bob"].map(self.key)
        for (index, key) in keys.enumerated() {
            _ = machine.add(.connect(self.connection(UInt64(index))), key: key, now: 0)
        }
        let round = try unwrapMutated(machine.start(now: 0))
        _ = self.prepare(&machine, round)
        let settlement = machine.finish(round, outcomes: [.committed, .conflict], now: 0)
        #expect(settlement.results.count == 1)
        machine.release(round)
        #expect(machine.start(now: 0) == nil)
        let due = try unwrapMutated(machine.nextStart)
        #expect(due > 0 && due <= Nanoseconds.milliseconds(2))
        #expect(machine.start(now: due)?.reads == [keys[1]])
    }

    @Test("LC-2: an unknown outcome ends in a committed write that raises v, also when nothing is left to change")
    func unknownOutcome() throws {
        var machine = self.machine()
        let alice = self.key("alice")
        let id = try unwrapMutated(machine.add(.connect(self.connection(1)), key: alice, now: 0)).id
        let first = try unwrapMutated(machine.start(now: 0))
        let landed = self.prepare(&machine, first)[0].new
        #expect(machine.fail(first, self.lost, now: 0).results.isEmpty)
        machine.release(first)
        let second = try unwrapMutated(machine.start(now: self.second))
        #expect(second.reads == [alice])
        // It had landed: nothing changes but v.
        let writes = self.prepare(&machine, second, [alice: landed])
        #expect(writes.map(\.new.version) == [2])
        #expect(writes[0].new.live == landed.live && writes[0].new.outbox == landed.outbox)
        let settlement = machine.finish(second, outcomes: [.committed], now: self.second)
        #expect(settlement.results.map(\.id) == [id])
        // The outbox tells what is to be emitted: the transitions of the first attempt.
        #expect(settlement.commits[0].outbox.count == 2)
        machine.release(second)
        #expect(machine.isIdle)
    }

    @Test("LC-2: given up after an unknown outcome, a connect is removed again, though nobody waits any more")
    func abandonedAfterUnknown() throws {
        var machine = self.machine()
        let alice = self.key("alice")
        let id = try unwrapMutated(machine.add(.connect(self.connection(1)), key: alice, now: 0)).id
        let first = try unwrapMutated(machine.start(now: 0))
        let landed = self.prepare(&machine, first)[0].new
        _ = machine.fail(first, self.lost, now: 0)
        machine.release(first)
        let expired = machine.expire(now: 5 * self.second).results
        #expect(expired.map(\.id) == [id])
        guard case .failure(.deadline) = expired[0].result else {
            Issue.record("\(expired)")
            return
        }
        #expect(!machine.isIdle && machine.pendingConnects == 0)
        let second = try unwrapMutated(machine.start(now: 6 * self.second))
        let writes = self.prepare(&machine, second, [alice: landed])
        #expect(writes.map(\.new.live) == [[]])
        #expect(machine.finish(second, outcomes: [.committed], now: 0).results.isEmpty)
        machine.release(second)
        #expect(machine.isIdle)
    }

    @Test("ND-15: a connect is given up at its deadline, also in flight; what lands then is removed")
    func deadlineInFlight() throws {
        var machine = self.machine()
        let alice = self.key("alice")
        _ = machine.add(.connect(self.connection(1)), key: alice, now: 0)
        let round = try unwrapMutated(machine.start(now: 0))
        _ = self.prepare(&machine, round)
        #expect(machine.expire(now: 5 * self.second).results.count == 1)
        #expect(machine.finish(round, outcomes: [.committed], now: 0).results.isEmpty)
        machine.release(round)
        let removal = try unwrapMutated(machine.start(now: 5 * self.second))
        #expect(self.prepare(&machine, removal).map(\.new.live) == [[]])
    }

    @Test("LC-5: a removal that comes while its connect waits needs no write at all")
    func cancelledInQueue() throws {
        var machine = self.machine()
        let socket = self.connection(1)
        let connect = try unwrapMutated(machine.add(.connect(socket), key: self.key("alice"), now: 0))
        let removal = try unwrapMutated(
            machine.add(.disconnect(socket.socket, node: self.node), key: self.key("alice"), now: 0))
        #expect(removal.settlement.results.map(\.id) == [connect.id, removal.id])
        guard case .failure(.cancelled) = removal.settlement.results[0].result else {
            Issue.record("\(removal.settlement.results)")
            return
        }
        #expect(machine.isIdle)
        #expect(machine.start(now: 0) == nil)
    }

    @Test("LC-5: a removal that comes while its connect is in flight is queued behind it")
    func removalBehindConnect() throws {
        var machine = self.machine()
        let (alice, socket) = (self.key("alice"), self.connection(1))
        _ = machine.add(.connect(socket), key: alice, now: 0)
        let round = try unwrapMutated(machine.start(now: 0))
        let committed = self.prepare(&machine, round)[0].new
        _ = machine.add(.disconnect(socket.socket, node: self.node), key: alice, now: 0)
        #expect(machine.finish(round, outcomes: [.committed], now: 0).results.count == 1)
        machine.release(round)
        let next = try unwrapMutated(machine.start(now: 0))
        let writes = self.prepare(&machine, next)
        #expect(writes.map(\.old) == [committed])
        #expect(writes.map(\.new.live) == [[]])
    }

    @Test("LC-6: who gave way in a write of unknown outcome is told of, though the next attempt does not see it")
    func supersededByUnknown() throws {
        var machine = self.machine()
        let alice = self.key("alice")
        let old = self.connection(1, endpoint: "tab")
        var document = RouteMachine(node: self.node).apply(
            [.connect(old)], to: RouteDocument(key: alice), now: 0
        ).document
        _ = machine.add(.connect(self.connection(2, endpoint: "tab")), key: alice, now: 0)
        let first = try unwrapMutated(machine.start(now: 0))
        let writes = self.prepare(&machine, first, [alice: document])
        document = writes[0].new
        let settlement = machine.fail(first, self.lost, now: 0)
        #expect(settlement.superseded.map(\.connection) == [old])
        machine.release(first)
    }

    @Test("A batch that is refused is halved until the one bad document stands alone")
    func poison() throws {
        var machine = self.machine()
        let keys = (0..<8).map { self.key("user\($0)") }
        for (index, key) in keys.enumerated() {
            _ = machine.add(.connect(self.connection(UInt64(index))), key: key, now: 0)
        }
        let malformed = StoreError(.malformed, operation: "routes.read", message: "")
        var failures: [RouteCommitMachine.OperationID] = []
        var successes: [RouteCommitMachine.OperationID] = []
        var now: Int64 = 0
        while !machine.isIdle, now < 100 {
            now += 1
            while let round = machine.start(now: now * self.second / 100) {
                let settlement: RouteCommitMachine.Settlement
                if round.reads.contains(keys[3]) {
                    settlement = machine.fail(round, malformed, now: now * self.second / 100)
                } else {
                    let writes = self.prepare(&machine, round)
                    settlement = machine.finish(
                        round, outcomes: writes.map { _ in .committed }, now: now * self.second / 100)
                }
                for (id, result) in settlement.results {
                    if case .success = result { successes.append(id) } else { failures.append(id) }
                }
                machine.release(round)
            }
        }
        #expect(failures == [4])
        #expect(successes.sorted() == [1, 2, 3, 5, 6, 7, 8])
    }

    @Test("ND-15: connects beyond the limit are refused at once; removals never")
    func bound() {
        var machine = self.machine(RouteCommitOptions(waitingConnects: 2))
        let key = self.key("alice")
        #expect(machine.add(.connect(self.connection(1)), key: key, now: 0) != nil)
        #expect(machine.add(.connect(self.connection(2)), key: key, now: 0) != nil)
        #expect(machine.add(.connect(self.connection(3)), key: key, now: 0) == nil)
        #expect(machine.add(.disconnect(self.connection(4).socket, node: self.node), key: key, now: 0) != nil)
        #expect(machine.expire(now: 6 * self.second).results.count == 2)
        #expect(machine.add(.connect(self.connection(3)), key: key, now: 0) != nil)
    }

    @Test("LC-4: at most so many keys per round, and so many rounds in flight")
    func rounds() throws {
        var machine = self.machine(RouteCommitOptions(keysPerRound: 10, roundsInFlight: 2))
        for index in 0..<25 {
            _ = machine.add(.connect(self.connection(UInt64(index))), key: self.key("user\(index)"), now: 0)
        }
        let rounds = [try unwrapMutated(machine.start(now: 0)), try unwrapMutated(machine.start(now: 0))]
        #expect(rounds.map(\.reads.count) == [10, 10])
        #expect(Set(rounds.flatMap(\.reads)).count == 20)
        #expect(machine.start(now: 0) == nil)
    }

    @Test("ND-3: the end fails everything, and late answers do no harm")
    func close() throws {
        var machine = self.machine()
        _ = machine.add(.connect(self.connection(1)), key: self.key("alice"), now: 0)
        let round = try unwrapMutated(machine.start(now: 0))
        _ = self.prepare(&machine, round)
        _ = machine.add(.connect(self.connection(2)), key: self.key("bob"), now: 0)
        #expect(machine.close().results.count == 2)
        #expect(machine.isIdle && machine.pendingConnects == 0)
        #expect(machine.finish(round, outcomes: [.committed], now: 0).results.isEmpty)
        machine.release(round)
        #expect(machine.isIdle)
    }
}
