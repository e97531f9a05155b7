import NIOCore
import Routing
import Synchronization
import Testing
import Wire

@testable import Node

@Suite("ID-13: how long a revocation takes, and who has not reported")
struct RevocationLedgerTests {
    private final class Clock: Sendable {
        private let value = Mutex<Int64>(0)
        var now: Int64 { self.value.withLock { $0 } }
        func advance(_ seconds: Int64) { self.value.withLock { $0 += Nanoseconds.seconds(seconds) } }
    }

    @Test("ID-13: it is over when the node itself and all that were told have cut their last socket, in any order")
    func reports() throws {
        let clock = Clock()
        let ledger = RevocationLedger(now: { clock.now })
        let nodes = (0..<3).map { _ in NodeID.random() }
        // The node itself may be done before the others are known.
        for order in [[0, 1, 2], [2, 1, 0]] {
            let number = try #require(ledger.open(.logout, begun: ledger.moment, local: nodes[0]))
            for (index, node) in order.enumerated() {
                if index == 1 { ledger.expect([nodes[1], nodes[2]], for: number) }
                if node == 0 || index >= 1 { ledger.note(number, from: nodes[node], cut: 1) }
                #expect(ledger.openCount == 1 || index == 2)
            }
            for node in nodes { ledger.note(number, from: node, cut: 0) }
            #expect(ledger.openCount == 0)
        }
    }

    @Test("ID-13: who does not report within a minute is given up; late and unknown reports are no harm")
    func silent() throws {
        let clock = Clock()
        let ledger = RevocationLedger(now: { clock.now })
        let (local, other) = (NodeID.random(), NodeID.random())
        let number = try #require(ledger.open(.kick, begun: ledger.moment, local: local))
        ledger.expect([other], for: number)
        ledger.note(number, from: local, cut: 2)
        clock.advance(59)
        ledger.expire()
        #expect(ledger.openCount == 1)
        clock.advance(1)
        ledger.expire()
        #expect(ledger.openCount == 0)
        ledger.note(number, from: other, cut: 1)
        ledger.note(999, from: other, cut: 1)
        #expect(ledger.openCount == 0)
    }

    @Test("ID-13, LK-13: the Links that went with it are waited for apart from its sockets")
    func links() throws {
        let clock = Clock()
        let ledger = RevocationLedger(now: { clock.now })
        let (local, other) = (NodeID.random(), NodeID.random())
        let number = try #require(ledger.open(.kick, begun: ledger.moment, local: local))
        ledger.expect([other], for: number)
        for node in [local, other] { ledger.note(number, from: node, cut: 1) }
        #expect(ledger.openCount == 0 && ledger.openLinkCount == 1)
        for node in [local, other] { ledger.noteLinks(number, from: node) }
        #expect(ledger.openLinkCount == 0)
        _ = ledger.open(.kick, begun: ledger.moment, local: local)
        clock.advance(60)
        ledger.expire()
        #expect(ledger.openCount == 0 && ledger.openLinkCount == 0)
        let report = RevocationReport(number: 3, cut: 0, isOfLinks: true)
        #expect(RevocationReport.isReport(report.message))
        #expect(try RevocationReport(report.message) == report)
    }

    @Test("ID-13: a revocation names its number, a report survives the bus, junk is refused")
    func messages() throws {
        let report = RevocationReport(number: .max, cut: 7)
        #expect(RevocationReport.isReport(report.message))
        #expect(try RevocationReport(report.message) == report)
        #expect(RevocationReport.number(in: RevocationReport.source(42)) == 42)
        for source in ["", "revocation", "revocation:", "revocation:x", "revocation:-1", "AAAA.BBBB/7"] {
            #expect(RevocationReport.number(in: source) == nil)
        }
        let bytes = Array(report.message.payload.readableBytesView)
        func decode(_ bytes: [UInt8]) throws(PeerMessageError) -> RevocationReport {
            try RevocationReport(BusMessage(kind: .ack, key: "", payload: ByteBuffer(bytes: bytes)))
        }
        for length in bytes.indices {
            #expect(throws: PeerMessageError.malformed) { try decode(Array(bytes[..<length])) }
        }
        #expect(throws: PeerMessageError.malformed) { try decode(bytes + [0]) }
        #expect(throws: PeerMessageError.unknownVersion(2)) { try decode([2] + bytes.dropFirst()) }
    }

    @Test("ID-13: a logout over three nodes is measured until the last report; kicks and messages still decode")
    func measured() async throws {
        let node = NodeTestIdentity()
        let others = [node.node(), node.node()]
        node.log.change { $0.readings = [DirectoryReading(records: others, isComplete: true)] }
        try await node.revocation.revokeAll(
            Invalidation(domain: "example.org", user: "alice", client: nil, reason: .logout))
        let published = node.log.now.published
        #expect(published.count == 2)
        let numbers = published.compactMap { RevocationReport.number(in: $0.message.source) }
        let number = try #require(numbers.first)
        #expect(numbers == [number, number])
        #expect(node.revocation.ledger.openCount == 1, "the call returns after the writes, not after the cuts")
        node.revocation.ledger.note(number, from: others[0].id, cut: 3)
        #expect(node.revocation.ledger.openCount == 1)
        node.revocation.ledger.note(number, from: others[1].id, cut: 0)
        #expect(node.revocation.ledger.openCount == 0)
    }

    @Test("ID-13: a node that is gone is not waited for")
    func gone() async throws {
        let node = NodeTestIdentity()
        node.log.change { log in
            log.readings = [DirectoryReading(records: [node.node()], isComplete: true)]
            log.publishErrors = [.targetGone]
        }
        try await node.revocation.kick(Kick(domain: "example.org", user: "alice", client: nil))
        #expect(node.revocation.ledger.openCount == 0)
    }
}
