import Logging
import NIOCore
import NIOPosix
import Routing
import Synchronization
import Testing
import Wire

@testable import Backplane

/// A bus on a real MongoDB with a few nodes, for the integration tests.
final class BusStage: Sendable {
    /// Every way to tail an inbox (SPEC ND-10).
    struct Way: Sendable, CustomTestStringConvertible {
        var cluster: MongoFixture
        var tail: BusOptions.Tail
        var testDescription: String { "\(self.cluster.rawValue), \(self.tail.rawValue)" }

        static let all = MongoFixture.allCases.flatMap { cluster in
            [BusOptions.Tail.stream, .cursor].map { Way(cluster: cluster, tail: $0) }
        }
    }

    let topology: BusTopology
    let directory = BusTestDirectory()

    private init(topology: BusTopology) { self.topology = topology }

    static func open(_ uri: String, busURIs: [String] = []) async throws -> BusStage {
        var settings = MongoSettings(uri: uri, database: MongoFixture.database())
        settings.slotSize = 8 << 20
        settings.slots = 4
        settings.busURIs = busURIs
        let topology = try await NIOThreadPool.singleton.runIfActive { [settings] in
            try MongoTopology.open(settings, logger: Logger(label: "bus-test")).bus
        }
        return BusStage(topology: topology)
    }

    /// A node whose bus is open, in the directory as a registered one is.
    func node(_ tail: BusOptions.Tail, options: BusOptions = BusOptions()) async throws -> BusTestNode {
        let id = NodeID.random()
        var options = options
        options.tail = tail
        let homes = HomeChoice.homes(for: id, topology: self.topology, others: self.directory.all)
        let record = NodeRecord(id: id, name: nil, address: nil, started: 0, homes: homes)
        // Listed before it is open, so that two that start at once do not meet in a slot.
        self.directory.set(record)
        let recorder = BusTestReceiver()
        let adapter = try await MongoClusterAdapter.open(
            node: id, homes: homes, topology: self.topology, directory: self.directory, receiver: recorder,
            options: options, logger: Logger(label: "bus-test") { _ in SwiftLogNoOpLogHandler() })
        return BusTestNode(record: record, adapter: adapter, received: recorder)
    }
}

struct BusTestNode: Sendable {
    let record: NodeRecord
    let adapter: MongoClusterAdapter
    let received: BusTestReceiver

    var id: NodeID { self.record.id }

    /// Publishes and waits for the fate.
    func publish(_ key: String, kind: BusMessage.Kind = .event, to target: BusTestNode) async -> PublishError? {
        await withCheckedContinuation { continuation in
            self.adapter.publish(
                BusMessage(kind: kind, key: key, payload: ByteBuffer(string: key)), to: target.record
            ) { continuation.resume(returning: $0) }
        }
    }

    /// Publishes without waiting; the tally takes the fate.
    func publish(_ key: String, kind: BusMessage.Kind = .event, to target: BusTestNode, tally: BusTestTally) {
        self.adapter.publish(
            BusMessage(kind: kind, key: key, payload: ByteBuffer(string: key)), to: target.record
        ) { tally.note(key, $0) }
    }
}

/// Fates of published messages.
final class BusTestTally: Sendable {
    private let fates = Mutex<[String: PublishError?]>([:])

    func note(_ key: String, _ error: PublishError?) {
        self.fates.withLock { fates in
            #expect(fates[key] == nil, "one fate per message")
            fates[key] = .some(error)
        }
    }

    var stored: [String] { self.fates.withLock { $0.filter { $0.value == nil }.map(\.key) } }
    var failed: [String: PublishError] { self.fates.withLock { $0.compactMapValues { $0 } } }
    var count: Int { self.fates.withLock { $0.count } }
}

final class BusTestDirectory: NodeDirectory {
    private let records = Mutex<[NodeID: NodeRecord]>([:])

    func set(_ record: NodeRecord) { self.records.withLock { $0[record.id] = record } }
    func record(of node: NodeID) -> NodeRecord? { self.records.withLock { $0[node] } }
    func resolve(_ node: NodeID) async -> NodeRecord? { self.record(of: node) }
    var all: [NodeRecord] { self.records.withLock { Array($0.values) } }
}

/// Keeps what arrives, per sender, and lets a test wait for it.
final class BusTestReceiver: ClusterReceiver {
    private struct State {
        var keys: [NodeID: [String]] = [:]
        var gaps: [String] = []
        var waiters: [(isMet: @Sendable (borrowing State) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []

        mutating func met() -> [CheckedContinuation<Void, Never>] {
            var met: [CheckedContinuation<Void, Never>] = []
            let waiters = self.waiters
            self.waiters = []
            for waiter in waiters {
                if waiter.isMet(self) { met.append(waiter.continuation) } else { self.waiters.append(waiter) }
            }
            return met
        }
    }

    private let state = Mutex(State())

    func receive(_ messages: [BusMessage], from sender: NodeID) {
        let met = self.state.withLock { state in
            state.keys[sender, default: []] += messages.map(\.key)
            return state.met()
        }
        for continuation in met { continuation.resume() }
    }

    func gap(_ reason: String) {
        let met = self.state.withLock { state in
            state.gaps.append(reason)
            return state.met()
        }
        for continuation in met { continuation.resume() }
    }

    func keys(from sender: BusTestNode) -> [String] { self.state.withLock { $0.keys[sender.id] ?? [] } }
    var gaps: [String] { self.state.withLock { $0.gaps } }

    /// Returns once that many messages of the sender have come.
    func wait(for count: Int, from sender: BusTestNode) async {
        let id = sender.id
        await self.wait { ($0.keys[id]?.count ?? 0) >= count }
    }

    /// Returns once this one has come.
    func wait(forKey key: String, from sender: BusTestNode) async {
        let id = sender.id
        await self.wait { $0.keys[id]?.contains(key) ?? false }
    }

    func waitForGap() async { await self.wait { !$0.gaps.isEmpty } }

    private func wait(until isMet: @escaping @Sendable (borrowing State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let met = self.state.withLock { state in
                state.waiters.append((isMet, continuation))
                return state.met()
            }
            for continuation in met { continuation.resume() }
        }
    }
}
