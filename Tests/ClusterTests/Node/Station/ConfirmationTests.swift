import Routing
import Testing

@testable import Node

/// SPEC EV-2: what an application is told of a send that it asked about.
@Suite struct ConfirmationTests {
    private func confirmation(
        _ devices: [WrittenDevice] = [], silent: [NodeID] = [], stored: Bool = false, isComplete: Bool = true
    ) -> Receipt.Confirmation {
        var machine = ClusterRequestMachine(loops: 1)
        machine.ask(silent)
        machine.report(.loop(0), expected: devices.count, items: devices.map(\.item))
        let receipt = SendReceipt(local: 0, nodes: 0, stored: stored, isComplete: isComplete)
        return Receipt.Confirmation(ConfirmedReceipt(receipt, ClusterReplies(machine))) { $0.map(\.text) }
    }

    @Test("Written: by device; complete only if nobody is left")
    func written() {
        let whole = self.confirmation([.init(client: "phone", written: 2, pending: 0)])
        #expect(whole.outcome == .written && whole.written == ["phone": 2] && whole.pending.isEmpty && whole.isComplete)
        let part = self.confirmation([
            .init(client: "phone", written: 2, pending: 1), .init(client: "watch", written: 0, pending: 1),
        ])
        #expect(part.outcome == .written && part.written == ["phone": 2] && part.pending == ["phone": 1, "watch": 1])
        #expect(!part.isComplete)
    }

    @Test("Nobody written to: unknown before stored, stored before pending, and offline only if nobody is there")
    func others() {
        let node = NodeID.random()
        let waiting = WrittenDevice(client: "watch", written: 0, pending: 1)
        #expect(self.confirmation().outcome == .offline)
        #expect(self.confirmation().isComplete)
        #expect(self.confirmation([waiting]).outcome == .pending)
        #expect(self.confirmation([waiting], stored: true).outcome == .stored)
        #expect(self.confirmation(stored: true).outcome == .stored)
        #expect(self.confirmation([waiting], silent: [node], stored: true).outcome == .unknown)
        #expect(self.confirmation(silent: [node]).unknown == [node.text])
        #expect(self.confirmation(isComplete: false).outcome == .unknown)
        #expect(!self.confirmation(isComplete: false).isComplete)
    }

    @Test("A node that was written to and one that is silent: written, and not complete")
    func mixed() {
        let node = NodeID.random()
        let found = self.confirmation([.init(client: "phone", written: 1, pending: 0)], silent: [node])
        #expect(found.outcome == .written && found.unknown == [node.text] && !found.isComplete)
    }
}
