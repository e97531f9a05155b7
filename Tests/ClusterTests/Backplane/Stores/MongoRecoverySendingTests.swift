import Foundation
import Logging
import NIOCore
import Routing
import Synchronization
import Testing
import Wire

@testable import Backplane

/// The dispatcher with routes and recovery log on MongoDB; the bus is in memory.
@Suite("Connection state recovery on MongoDB", .tags(.integration), .serialized, .timeLimit(.minutes(5)))
struct MongoRecoverySendingTests {
    private static let isMeasuring = ProcessInfo.processInfo.environment["SUBMERGENCE_MEASURE"] != nil

    private func open(_ fixture: MongoFixture) async throws -> MongoCluster {
        var settings = MongoSettings(uri: try fixture.uri, database: MongoFixture.database())
        settings.slots = 1
        settings.slotSize = 1 << 20
        settings.recoveryLog = 64 << 20
        return try await MongoCluster.open(settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test(
        "EV-3: cut, send, recover on the other node, again and again: each event once, in order",
        arguments: MongoFixture.allCases)
    func recovers(fixture: MongoFixture) async throws {
        let mongo = try await self.open(fixture)
        let cluster = try RecoveryTestCluster(nodes: 2, routes: mongo.routes, log: try #require(mongo.recoveryLog))
        try await cluster.run {
            let client = RecoveryTestClient()
            var connection = try await cluster.connect(client, to: cluster.nodes[0])
            var number = 0
            for round in 0..<10 {
                for isCut in [false, true] {
                    if isCut {
                        try await cluster.settle()
                        client.cut()
                        if round % 2 == 0 { try await cluster.leave(connection) }
                    }
                    for _ in 0..<3 {
                        number += 1
                        for node in cluster.nodes {
                            let receipt = await node.send(number, to: cluster.alice)
                            #expect(receipt.isComplete && receipt.stored)
                        }
                    }
                }
                let lost = connection
                connection = try await cluster.connect(client, to: cluster.nodes[(round + 1) % 2], after: lost)
                #expect(connection.isRecovered)
                if round % 2 == 1 { try await cluster.leave(lost) }
            }
            try await cluster.settle()
            let log = client.log
            for name in ["A", "B"] {
                #expect(log.filter { $0.hasPrefix(name) } == (1...number).map { "\(name) \($0)" })
            }
            #expect(log.count == 2 * number + 1)
        }
        await mongo.shutdown()
    }

    /// What `docs/operations.md` states: `SUBMERGENCE_MEASURE=1 swift test --filter MongoRecoverySending`.
    @Test(
        "Latency to the receipt with recovery off and on", .enabled(if: isMeasuring), arguments: MongoFixture.allCases)
    func latency(fixture: MongoFixture) async throws {
        let mongo = try await self.open(fixture)
        let log = try #require(mongo.recoveryLog)
        for round in 1...3 {
            for isOn in [false, true] {
                let cluster = try RecoveryTestCluster(nodes: 1, routes: mongo.routes, log: log, isOn: isOn)
                try await cluster.run {
                    let client = RecoveryTestClient()
                    _ = try await cluster.connect(client, to: cluster.nodes[0])
                    for width in [1, 50] {
                        let times = await Self.measure(cluster, count: 2_000, width: width)
                        print(
                            "recovery", fixture, "round", round, isOn ? "on" : "off", "senders", width, "p50",
                            times[times.count / 2], "us p99", times[times.count * 99 / 100], "us")
                    }
                }
            }
        }
        await mongo.shutdown()
    }

    /// - Returns: microseconds from call to receipt, sorted; `width` sends are under way at a time.
    private static func measure(_ cluster: RecoveryTestCluster, count: Int, width: Int) async -> [Int64] {
        await withTaskGroup(of: [Int64].self) { group in
            for _ in 0..<width {
                group.addTask {
                    var times: [Int64] = []
                    for number in 1...count / width {
                        let start = NIODeadline.now()
                        _ = await cluster.nodes[0].send(number, to: cluster.alice)
                        times.append((NIODeadline.now() - start).nanoseconds / 1_000)
                    }
                    return times
                }
            }
            var all: [Int64] = []
            for await times in group { all += times }
            return all.sorted()
        }
    }
}
