import Routing
import Testing
import Wire

/// Events of the outbox that are sent again, by the same node or by one that has taken over.
@Suite("Sending what is in the outbox", .timeLimit(.minutes(2))) struct PostingDispatchTests {
    private func mark(_ number: Int64, floor: Int64 = 1) -> PostingMark {
        PostingMark(stream: RecoveryStream(sender: 0xABCD, kind: .identity), number: number, floor: floor)
    }

    private func cluster(isRecovering: Bool) throws -> RecoveryTestCluster {
        try RecoveryTestCluster(
            nodes: 3, routes: InMemoryRouteStore(), log: InMemoryRecoveryLog(), isOn: isRecovering)
    }

    @Test("Sent by a node that dies and again by the next: a connection that lives has it once, on whatever node it is")
    func takenOver() async throws {
        let cluster = try self.cluster(isRecovering: true)
        let (a, b, c) = (cluster.nodes[0], cluster.nodes[1], cluster.nodes[2])
        try await cluster.run {
            let (here, there) = (RecoveryTestClient(), RecoveryTestClient())
            let first = try await cluster.connect(here, to: b)
            _ = try await cluster.connect(there, to: c)
            #expect(await a.send(1, to: cluster.alice, posting: self.mark(1)).nodes == 2)
            try await cluster.settle()
            // B has handed it out as well, and now takes over.
            #expect(await b.send(1, to: cluster.alice, posting: self.mark(1)).isComplete)
            #expect(await b.send(2, to: cluster.alice, posting: self.mark(2, floor: 2)).isComplete)
            // A wakes up and does not know yet.
            #expect(await a.send(1, to: cluster.alice, posting: self.mark(1)).isComplete)
            try await cluster.settle()
            #expect(here.log == ["new", "A 1", "B 2"])
            #expect(there.log == ["new", "A 1", "B 2"])
            // What it has is not replayed either.
            here.cut()
            try await cluster.leave(first)
            #expect(await b.send(2, to: cluster.alice, posting: self.mark(2, floor: 2)).stored)
            let back = try await cluster.connect(here, to: a, after: first)
            #expect(back.isRecovered)
            #expect(await c.send(3, to: cluster.alice, posting: self.mark(3)).isComplete)
            try await cluster.settle()
            #expect(here.log == ["new", "A 1", "B 2", "C 3"])
        }
    }

    @Test("A client that is away at both attempts gets it once")
    func away() async throws {
        let cluster = try self.cluster(isRecovering: true)
        let (a, b, c) = (cluster.nodes[0], cluster.nodes[1], cluster.nodes[2])
        try await cluster.run {
            let client = RecoveryTestClient()
            let lost = try await cluster.connect(client, to: a)
            client.cut()
            try await cluster.leave(lost)
            for node in [a, b] {
                let receipt = await node.send(1, to: cluster.alice, posting: self.mark(1))
                #expect(receipt.stored && receipt.isComplete && !receipt.didReceive)
            }
            let back = try await cluster.connect(client, to: c, after: lost)
            #expect(back.isRecovered)
            // A third one, after it has come back.
            #expect(await b.send(1, to: cluster.alice, posting: self.mark(1)).isComplete)
            try await cluster.settle()
            #expect(client.log == ["new", "A 1"] || client.log == ["new", "B 1"])
        }
    }

    @Test("Where the log does not take it nobody is given it, and once it does everybody is")
    func unlogged() async throws {
        let isFailing = RecoveryTestFlag()
        let cluster = try RecoveryTestCluster(nodes: 2, fault: isFailing.failingAppends)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        try await cluster.run {
            let (here, there) = (RecoveryTestClient(), RecoveryTestClient())
            _ = try await cluster.connect(here, to: a)
            let lost = try await cluster.connect(there, to: b)
            isFailing.set(true)
            let failed = await a.send(1, to: cluster.alice, posting: self.mark(1))
            #expect(failed == SendReceipt(local: 0, nodes: 0, stored: false, isComplete: false))
            try await cluster.settle()
            #expect(here.log == ["new"] && there.log == ["new"])
            isFailing.set(false)
            #expect(await a.send(1, to: cluster.alice, posting: self.mark(1)).isComplete)
            try await cluster.settle()
            #expect(here.log == ["new", "A 1"] && there.log == ["new", "A 1"])
            // There is no hole: who comes back is recovered.
            there.cut()
            #expect(try await cluster.connect(there, to: a, after: lost).isRecovered)
        }
    }

    @Test("Without recovery a connection that lives has it once as well")
    func withoutRecovery() async throws {
        let cluster = try self.cluster(isRecovering: false)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        try await cluster.run {
            let client = RecoveryTestClient()
            _ = try await cluster.connect(client, to: b)
            for node in [a, b, a] {
                #expect(await node.send(1, to: cluster.alice, posting: self.mark(1)).isComplete)
            }
            try await cluster.settle()
            #expect(client.log == ["new", #"no offset: 2["A",1]"#])
        }
    }
}
