import NIOCore
import Routing
import Synchronization
import Testing
import Wire

/// What routing relies on of the bus (SPEC ND-6 to ND-8).
enum ClusterAdapterConformance {
    /// Opens nodes of one cluster. The adapter delivers from then on, until its `shutdown()`.
    struct Stage: Sendable {
        var open: @Sendable (_ receiver: any ClusterReceiver) async throws -> (NodeRecord, any ClusterAdapter)

        fileprivate func node() async throws -> Node {
            let receiver = ConformanceReceiver()
            let (record, adapter) = try await self.open(receiver)
            return Node(record: record, adapter: adapter, receiver: receiver)
        }
    }

    static let checks: [ConformanceCheck<Stage>] = [
        ConformanceCheck("ND-6: a message arrives as it was sent, with its sender") { stage async throws in
            let (one, two) = (try await stage.node(), try await stage.node())
            let messages = BusMessage.Kind.allCases.filter { $0 != .probe }.map {
                BusMessage(
                    kind: $0, key: $0 == .config ? "" : "conformance.test/ünï \($0)",
                    payload: ByteBuffer(bytes: (0..<200).map { UInt8($0) }), source: $0 == .ack ? "source" : "")
            }
            for message in messages { #expect(await one.publish(message, to: two) == nil) }
            await two.receiver.wait(for: messages.count)
            #expect(two.receiver.arrivals == messages.map { .init(sender: one.record.id, message: $0) })
            #expect(one.receiver.arrivals == [])
            await Self.end([one, two])
        },
        ConformanceCheck("ND-7, ND-8: both ways at once, each message once and in order", Self.order),
        ConformanceCheck("ND-7: one sender, many targets: each gets its own") { stage async throws in
            let sender = try await stage.node()
            var targets: [Node] = []
            for _ in 0..<3 { targets.append(try await stage.node()) }
            for number in 0..<300 { sender.hand(Self.message("\(number)"), to: targets[number % 3]) }
            for (index, target) in targets.enumerated() {
                await target.receiver.wait(for: 100)
                let expected = (0..<100).map { Self.message("\($0 * 3 + index)") }
                #expect(target.receiver.messages(from: sender.record.id) == expected)
            }
            await Self.end(targets + [sender])
        },
        ConformanceCheck("ND-6: what is too large is refused, and nothing else suffers") { stage async throws in
            let (one, two) = (try await stage.node(), try await stage.node())
            let size = BusMessage.maximumSize
            let large = BusMessage(kind: .event, key: "a/b", payload: ByteBuffer(repeating: 7, count: size / 2))
            let tooLarge = BusMessage(kind: .event, key: "a/b", payload: ByteBuffer(repeating: 7, count: size + 1))
            #expect(await one.publish(tooLarge, to: two) == .tooLarge)
            #expect(await one.publish(large, to: two) == nil)
            await two.receiver.wait(for: 1)
            #expect(two.receiver.arrivals.map(\.message) == [large])
            await Self.end([one, two])
        },
        ConformanceCheck("ND-7: nothing is sent to a node that is claimed") { stage async throws in
            let (one, two) = (try await stage.node(), try await stage.node())
            var claimed = two.record
            claimed.state = .claimed
            #expect(await one.publish(Self.message("event"), to: claimed) == .targetGone)
            var kick = Self.message("kick")
            kick.kind = .kick
            #expect(await one.publish(kick, to: claimed) == .targetGone)
            await Self.end([one, two])
        },
        ConformanceCheck("ND-12: after flush everything that was handed in has completed") { stage async throws in
            let (one, two) = (try await stage.node(), try await stage.node())
            for number in 0..<500 { one.hand(Self.message("\(number)"), to: two) }
            await one.adapter.flush()
            #expect(one.completed.load(ordering: .relaxed) == 500)
            await Self.end([one, two])
        },
        ConformanceCheck("After shutdown a publish completes as closed") { stage async throws in
            let (one, two) = (try await stage.node(), try await stage.node())
            await one.adapter.shutdown()
            #expect(await one.publish(Self.message("late"), to: two) == .closed)
            await two.adapter.shutdown()
        },
        ConformanceCheck("ND-10, ND-11: an open bus knows that it works") { stage async throws in
            let node = try await stage.node()
            let health = node.adapter.health
            #expect(!health.isDegraded)
            #expect(!health.modes.isEmpty && health.modes.count == health.probeAge.count)
            #expect(health.gaps == 0)
            await node.adapter.shutdown()
        },
    ]

    @Sendable private static func order(_ stage: Stage) async throws {
        let nodes = [try await stage.node(), try await stage.node()]
        let count = 2_000
        await withTaskGroup { group in
            for (index, node) in nodes.enumerated() {
                // One task, one sender: the order of the calls (ND-7).
                group.addTask {
                    for number in 0..<count {
                        node.hand(Self.message("\(number)", key: "a/user\(number % 5)"), to: nodes[1 - index])
                    }
                }
            }
        }
        for (index, node) in nodes.enumerated() {
            await node.receiver.wait(for: count)
            await node.adapter.flush()
            let sender = nodes[1 - index].record.id
            for user in 0..<5 {
                let key = "a/user\(user)"
                let expected = stride(from: user, to: count, by: 5).map { self.message("\($0)", key: key) }
                #expect(node.receiver.messages(from: sender).filter { $0.key == key } == expected)
            }
            #expect(node.receiver.arrivals.count == count)
            #expect(node.receiver.gaps == [])
        }
        await self.end(nodes)
    }

    private static func message(_ text: String, key: String = "conformance.test/user") -> BusMessage {
        BusMessage(kind: .event, key: key, payload: ByteBuffer(string: text))
    }

    private static func end(_ nodes: [Node]) async {
        for node in nodes { await node.adapter.shutdown() }
    }

    fileprivate final class Node: Sendable {
        let record: NodeRecord
        let adapter: any ClusterAdapter
        let receiver: ConformanceReceiver
        let completed = Atomic<Int>(0)

        init(record: NodeRecord, adapter: any ClusterAdapter, receiver: ConformanceReceiver) {
            self.record = record
            self.adapter = adapter
            self.receiver = receiver
        }

        func publish(_ message: BusMessage, to target: Node) async -> PublishError? {
            await self.publish(message, to: target.record)
        }

        func publish(_ message: BusMessage, to target: NodeRecord) async -> PublishError? {
            await withCheckedContinuation { continuation in
                self.adapter.publish(message, to: target) { continuation.resume(returning: $0) }
            }
        }

        func hand(_ message: BusMessage, to target: Node) {
            self.adapter.publish(message, to: target.record) { error in
                if let error { Issue.record("\(error)") }
                self.completed.add(1, ordering: .relaxed)
            }
        }
    }
}
