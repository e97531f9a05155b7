import NIOCore
import Routing
import Synchronization
import Testing
import Wire

@testable import Node

@Suite("ID-13, ID-14: reaching every node")
struct NodeRevocationTests {
    private static let invalidation = Invalidation(domain: "example.org", user: "alice", client: nil, reason: .logout)

    @Test("ID-13: passes until one changes nothing, then every live node is told once, this one directly")
    func order() async throws {
        let node = NodeTestIdentity()
        _ = try await node.login()
        _ = try await node.login("alice", "laptop")
        var (own, up, draining, claimed, gone) = (node.node(), node.node(), node.node(), node.node(), node.node())
        own = NodeRecord(id: node.local, name: nil, address: nil, started: 0, homes: [])
        draining.state = .draining
        claimed.state = .claimed
        gone.state = .gone
        let records = [own, up, draining, claimed, gone]
        up.beat = 1
        node.log.change { $0.readings = [DirectoryReading(records: records, isComplete: true)] }
        try await node.revocation.revokeAll(Self.invalidation)
        #expect(node.store.counts.passes == 2)
        let log = node.log.now
        #expect(log.published.map(\.target) == [up.id, draining.id])
        #expect(log.published.allSatisfy { $0.message.kind == .invalidate && $0.message.key == "example.org/alice" })
        #expect(log.invalidations == [Self.invalidation])
    }

    @Test("ID-13: what fails is repeated until it succeeds; only those who missed it are told again")
    func repeated() async throws {
        let node = NodeTestIdentity(sleep: { pause in
            if pause >= .seconds(5) { try await NodeTestIdentity.never() }
        })
        let nodes = [node.node(), node.node(), node.node()]
        node.log.change { log in
            log.readings = [
                DirectoryReading(records: [nodes[0]], isComplete: false),
                DirectoryReading(records: nodes, isComplete: true),
            ]
            log.publishErrors = [.backlog]
        }
        node.store.fail("invalidateAll", 3)
        try await node.revocation.revokeAll(Self.invalidation)
        #expect(node.store.counts.passes == 4)
        let log = node.log.now
        #expect(log.published.map(\.target) == [nodes[1].id, nodes[2].id, nodes[0].id])
        #expect(log.invalidations.count == 1)
    }

    @Test("ID-13: a node that is gone needs no telling")
    func targetGone() async throws {
        let node = NodeTestIdentity()
        node.log.change { log in
            log.readings = [DirectoryReading(records: [node.node()], isComplete: true)]
            log.publishErrors = [.targetGone]
        }
        try await node.revocation.revokeAll(Self.invalidation)
        #expect(node.log.now.published.isEmpty)
    }

    @Test("ID-13: what does not succeed in time fails, and goes on in the background")
    func background() async throws {
        let isUp = Mutex(false)
        let gate = AsyncStream<Void>.makeStream()
        let node = NodeTestIdentity(sleep: { pause in
            // The timeout comes at once; the pause before the second try lasts until the test lets go.
            if pause >= .seconds(5) || isUp.withLock({ $0 }) { return }
            for await _ in gate.stream {}
        })
        let cookies = try await node.login()
        let agent = try await node.agent(cookies: cookies)
        node.store.fail("invalidateAll", 1)
        await #expect(throws: SessionError.self) { try await agent.logout() }
        #expect(agent.isActive && agent.cookies.isEmpty)
        isUp.withLock { $0 = true }
        gate.continuation.finish()
        await node.pool.settle()
        #expect(try await node.agent(cookies: cookies).isIdle)
        #expect(node.log.now.invalidations.count == 1)
    }

    @Test("ID-14: a kick reaches every node and leaves the sessions")
    func kick() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        let other = node.node()
        node.log.change { $0.readings = [DirectoryReading(records: [other], isComplete: true)] }
        let kick = Kick(domain: "example.org", user: "alice", client: "phone")
        try await node.revocation.kick(kick)
        let log = node.log.now
        #expect(log.kicks == [kick])
        #expect(try log.published.map { try Kick($0.message) } == [kick])
        #expect(node.store.counts.passes == 0)
        #expect(try await node.agent(cookies: cookies).isActive)
    }

    @Test("ID-13, ID-14: messages survive the bus, with and without their optional parts")
    func roundTrip() throws {
        let (chain, hash) = ([UInt8](repeating: 7, count: 32), [UInt8](repeating: 0, count: 32))
        for client in [nil, "phone", String(repeating: "é", count: 64)] {
            for reason in LogoutReason.allCases {
                for (chain, successor) in [(nil, nil), (chain, nil), (chain, hash)] as [([UInt8]?, [UInt8]?)] {
                    let invalidation = Invalidation(
                        domain: "example.org", user: "al/ice", client: client, reason: reason, chain: chain,
                        successor: successor)
                    #expect(try Invalidation(invalidation.message) == invalidation)
                }
                let kick = Kick(domain: "example.org", user: "al/ice", client: client, reason: reason)
                #expect(try Kick(kick.message) == kick)
            }
        }
    }

    @Test("OP-4, ND-6: malformed messages and unknown versions are refused by name")
    func malformed() throws {
        let good = Invalidation(
            domain: "example.org", user: "alice", client: "phone", reason: .kick,
            chain: [UInt8](repeating: 1, count: 32))
        let bytes = Array(good.message.payload.readableBytesView)
        func decode(_ bytes: [UInt8], key: String = "example.org/alice") throws(PeerMessageError) -> Invalidation {
            try Invalidation(BusMessage(kind: .invalidate, key: key, payload: ByteBuffer(bytes: bytes)))
        }
        #expect(try decode(bytes) == good)
        for length in 0..<bytes.count {
            #expect(throws: PeerMessageError.malformed) { try decode(Array(bytes[..<length])) }
        }
        #expect(throws: PeerMessageError.malformed) { try decode(bytes + [0]) }
        #expect(throws: PeerMessageError.unknownVersion(2)) { try decode([2] + bytes.dropFirst()) }
        #expect(throws: PeerMessageError.malformed) { try decode([1, 99] + bytes.dropFirst(2)) }
        #expect(throws: PeerMessageError.malformed) { try decode(bytes, key: "nobody") }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let junk = (0..<Int.random(in: 0...80)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let message = BusMessage(kind: .kick, key: "example.org/alice", payload: ByteBuffer(bytes: [1] + junk))
            do throws(PeerMessageError) {
                _ = try Kick(message)
                _ = try Invalidation(message)
            } catch {
                #expect(error == .malformed)
            }
        }
    }
}
