import Routing
import Synchronization

/// A client that is cut and comes back again and again, to any node and noticed or not, while others send; over stores that
/// are slow at random. With an odd seed they also fail, or do not say what they did.
final class RecoveryTestRace: Sendable {
    let seed: UInt64
    var isFaulty: Bool { self.seed % 2 == 1 }
    private let failures: UInt64
    private let generator: Mutex<SplitMix64>
    private let appends = Atomic<Int>(0)

    /// - Parameter failures: how many operations in a hundred fail.
    init(seed: UInt64, failures: UInt64) {
        self.seed = seed
        self.failures = failures
        self.generator = Mutex(SplitMix64(seed: seed))
    }

    func draw(below limit: UInt64) -> UInt64 { self.generator.withLock { $0.next() % limit } }

    private func pause(below limit: UInt64) async {
        for _ in 0..<self.draw(below: limit) { await Task.yield() }
    }

    var fault: StoreFault { StoreFault(before: { await self.wait($0) }, after: { await self.wait($0) }) }

    private func wait(_ operation: String) async -> StoreError? {
        let luck = self.draw(below: 100)
        await self.pause(below: 12)
        // A route that cannot be read is missed by those who are there: its receipt says so, no replay mends it.
        guard self.isFaulty, luck < self.failures, operation != "routes.read" else { return nil }
        // An append and both attempts to write its holes must not fail: that is the case that is not covered.
        if operation == "recovery.append", self.appends.add(1, ordering: .relaxed).newValue % 4 != 0 { return nil }
        return StoreError(.unknownOutcome, operation: operation, message: "test")
    }

    /// - Parameters:
    ///   - senders: what runs meanwhile; once one of them is done the client is cut no more.
    ///   - begin: for the first connection, and each that is not the one before.
    /// - Returns: whether the client was recovered every time.
    func run(
        _ client: RecoveryTestClient, on cluster: RecoveryTestCluster, senders: [@Sendable () async -> Void],
        begin: @Sendable (RecoveryTestConnection) async throws -> Void = { _ in }
    ) async throws -> Bool {
        var connection = try await cluster.connect(client, to: cluster.nodes[0])
        try await begin(connection)
        let isDone = RecoveryTestFlag()
        var wasAlwaysRecovered = true
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in senders {
                group.addTask {
                    await sender()
                    isDone.set(true)
                }
            }
            while !isDone.isSet {
                await self.pause(below: 30)
                client.cut()
                let lost = connection
                let isNoticed = self.draw(below: 2) == 0
                if isNoticed { try await cluster.leave(lost) }
                await self.pause(below: 30)
                let node = cluster.nodes[Int(self.draw(below: UInt64(cluster.nodes.count)))]
                connection = try await cluster.connect(client, to: node, after: lost)
                if !isNoticed { try await cluster.leave(lost) }
                if !connection.isRecovered {
                    wasAlwaysRecovered = false
                    try await begin(connection)
                }
            }
            try await group.waitForAll()
        }
        try await cluster.settle()
        return wasAlwaysRecovered
    }
}

final class RecoveryTestFlag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { self.value.load(ordering: .relaxed) }
    func set(_ value: Bool) { self.value.store(value, ordering: .relaxed) }

    /// Appends fail while it is set.
    var failingAppends: StoreFault {
        StoreFault(before: { operation in
            operation == "recovery.append" && self.isSet
                ? StoreError(.unavailable, operation: operation, message: "test") : nil
        })
    }
}
