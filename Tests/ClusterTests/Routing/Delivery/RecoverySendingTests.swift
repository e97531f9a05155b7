import NIOCore
import Routing
import Synchronization
import Testing
import Wire

/// Sends, cuts and recoveries over several nodes in one process (SPEC EV-1, EV-3; SOCKETIO §14).
@Suite("Connection state recovery over nodes", .timeLimit(.minutes(2))) struct RecoverySendingTests {
    @Test(
        "EV-3: cut on A, events from both nodes, recovered on B: everything once, in order per sender; receipts say so")
    func otherNode() async throws {
        let cluster = try RecoveryTestCluster(nodes: 2)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        try await cluster.run {
            let client = RecoveryTestClient()
            var connection = try await cluster.connect(client, to: a)
            let here = SendReceipt(local: 1, nodes: 0, stored: true, isComplete: true)
            let elsewhere = SendReceipt(local: 0, nodes: 1, stored: true, isComplete: true)
            #expect(await a.send(1, to: cluster.alice) == here)
            #expect(await b.send(1, to: cluster.alice) == elsewhere)
            try await cluster.settle()
            client.cut()
            // Nobody has noticed: both are written to a dead wire.
            #expect(await a.send(2, to: cluster.alice).local == 1)
            try await cluster.leave(connection)
            let stored = SendReceipt(local: 0, nodes: 0, stored: true, isComplete: true)
            #expect(await a.send(3, to: cluster.alice) == stored)
            #expect(await b.send(2, to: cluster.alice) == stored)
            let first = connection.socket
            connection = try await cluster.connect(client, to: b, after: connection)
            #expect(connection.isRecovered && connection.socket == first)
            #expect(await a.send(4, to: cluster.alice) == elsewhere)
            try await cluster.settle()
            let log = client.log
            #expect(log.first == "new")
            #expect(log.filter { $0.hasPrefix("A") } == (1...4).map { "A \($0)" })
            #expect(log.filter { $0.hasPrefix("B") } == (1...2).map { "B \($0)" })
            #expect(log.count == 7)
        }
    }

    @Test(
        "EV-3: stored means logged, though the route still says live: a socket just lost here, and at a node held to be dead"
    )
    func storedWhileLeaving() async throws {
        let cluster = try RecoveryTestCluster(nodes: 2)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        try await cluster.run {
            let client = RecoveryTestClient()
            let lost = try await cluster.connect(client, to: a)
            client.cut()
            // The route write of the leave is still under way.
            try await cluster.vanish(lost)
            let stored = SendReceipt(local: 0, nodes: 0, stored: true, isComplete: true)
            #expect(await a.send(1, to: cluster.alice) == stored)
            cluster.directory.records.withLock { $0[a.id]?.state = .claimed }
            #expect(await b.send(1, to: cluster.alice) == stored)
            let connection = try await cluster.connect(client, to: b, after: lost)
            #expect(connection.isRecovered)
            try await cluster.settle()
            #expect(client.log.sorted() == ["A 1", "B 1", "new"])
        }
    }

    @Test(
        "§12: what follows a send runs behind its delivery here, whether it waits, is being read, or fails; else at once"
    )
    func following() async throws {
        let isFailing = RecoveryTestFlag()
        let cluster = try RecoveryTestCluster(nodes: 1, fault: isFailing.failingAppends)
        let node = cluster.nodes[0]
        try await cluster.run {
            let client = RecoveryTestClient()
            _ = try await cluster.connect(client, to: node)
            for number in 1...200 {
                isFailing.set(number % 3 == 0)
                let packet = OutboundPacket(text: ByteBuffer(string: "2[\"A\",\(number)]"))
                node.dispatcher.send(packet, to: cluster.alice, client: nil) { _ in }
                for _ in 0..<number % 7 { await Task.yield() }
                let isMine = number % 2 == 0
                await withCheckedContinuation { continuation in
                    node.dispatcher.follow(isMine ? cluster.alice : RouteKey(domain: "d", user: "other")) {
                        node.loop.execute {
                            // As a session does it before it sends something to one client alone.
                            for connection in node.table.value.connections(of: cluster.alice) {
                                node.table.value.settle(connection)
                            }
                            #expect(!isMine || client.log.last == "A \(number)")
                            continuation.resume()
                        }
                    }
                }
            }
            try await cluster.settle()
            #expect(client.log == ["new"] + (1...200).map { "A \($0)" })
        }
    }

    @Test("§14.3: the old node never notices, or has died; a second cut replays nothing twice")
    func unnoticed() async throws {
        let cluster = try RecoveryTestCluster(nodes: 2)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        try await cluster.run {
            let client = RecoveryTestClient()
            let lost = try await cluster.connect(client, to: a)
            _ = await b.send(1, to: cluster.alice)
            try await cluster.settle()
            client.cut()
            _ = await a.send(1, to: cluster.alice)
            var connection = try await cluster.connect(client, to: b, after: lost)
            #expect(connection.isRecovered && connection.socket == lost.socket)
            _ = await a.send(2, to: cluster.alice)
            // Late, and nothing but that: the new entry stays.
            try await cluster.leave(lost)
            _ = await b.send(2, to: cluster.alice)
            try await cluster.settle()
            client.cut()
            try await cluster.leave(connection)
            _ = await a.send(3, to: cluster.alice)
            connection = try await cluster.connect(client, to: a, after: connection)
            #expect(connection.isRecovered && connection.socket == lost.socket)
            try await cluster.settle()
            let log = client.log
            #expect(log.sorted() == ["A 1", "A 2", "A 3", "B 1", "B 2", "new"])
            #expect(log.filter { $0.hasPrefix("A") } == (1...3).map { "A \($0)" })
        }
    }

    @Test("Offline users cost no entry; volatile events and packets with an ack id are not logged")
    func notLogged() async throws {
        let cluster = try RecoveryTestCluster(nodes: 1)
        let node = cluster.nodes[0]
        try await cluster.run {
            let offline = RouteKey(domain: "d", user: "nobody")
            #expect(await node.send(1, to: offline) == SendReceipt(local: 0, nodes: 0, isComplete: true))
            let client = RecoveryTestClient()
            let connection = try await cluster.connect(client, to: node)
            client.cut()
            try await cluster.leave(connection)
            for (text, mode): (String, Delivery) in [
                ("2[\"v\",1]", .volatile), ("2[\"l\",1]", .latest(key: "k")), ("27[\"a\",1]", .required),
            ] {
                let receipt = await withCheckedContinuation { continuation in
                    node.dispatcher.send(
                        OutboundPacket(text: ByteBuffer(string: text)), to: cluster.alice, client: nil, mode: mode
                    ) { continuation.resume(returning: $0) }
                }
                #expect(receipt == SendReceipt(local: 0, nodes: 0, isComplete: true))
            }
            let again = try await cluster.connect(client, to: node, after: connection)
            #expect(again.isRecovered)
            try await cluster.settle()
            #expect(client.log == ["new"])
        }
    }

    @Test(
        "What a send costs: two readings and one append for who is recoverable, one reading for all others, and when off"
    )
    func cost() async throws {
        let operations = Operations()
        let fault = StoreFault(before: { operation in
            operations.count(operation)
            return nil
        })
        for isOn in [true, false] {
            let cluster = try RecoveryTestCluster(
                nodes: 1, routes: InMemoryRouteStore(fault: fault), log: InMemoryRecoveryLog(fault: fault), isOn: isOn)
            try await cluster.run {
                let client = RecoveryTestClient()
                _ = operations.take()
                _ = await cluster.nodes[0].send(1, to: RouteKey(domain: "d", user: "nobody"))
                #expect(operations.take() == ["routes.read": 1])
                _ = try await cluster.connect(client, to: cluster.nodes[0])
                _ = operations.take()
                _ = await cluster.nodes[0].send(2, to: cluster.alice)
                #expect(operations.take() == (isOn ? ["routes.read": 2, "recovery.append": 1] : ["routes.read": 1]))
            }
        }
    }

    private final class Operations: Sendable {
        private let counts = Mutex<[String: Int]>([:])
        func count(_ operation: String) { self.counts.withLock { $0[operation, default: 0] += 1 } }
        func take() -> [String: Int] {
            self.counts.withLock { counts in
                defer { counts = [:] }
                return counts
            }
        }
    }

    @Test("§14.1.6: an event that could not be logged is delivered all the same; who missed it is not recovered")
    func failingAppend() async throws {
        let isFailing = RecoveryTestFlag()
        let cluster = try RecoveryTestCluster(nodes: 1, fault: isFailing.failingAppends)
        let node = cluster.nodes[0]
        try await cluster.run {
            let (away, there) = (RecoveryTestClient(), RecoveryTestClient())
            var lost = try await cluster.connect(away, to: node)
            var connection = try await cluster.connect(there, to: node)
            _ = await node.send(1, to: cluster.alice)
            try await cluster.settle()
            away.cut()
            try await cluster.leave(lost)
            isFailing.set(true)
            #expect(await node.send(2, to: cluster.alice) == SendReceipt(local: 1, nodes: 0, isComplete: false))
            isFailing.set(false)
            // The hole goes along, if it is not there yet.
            #expect(await node.send(3, to: cluster.alice).isComplete)
            try await cluster.settle()
            lost = try await cluster.connect(away, to: node, after: lost)
            #expect(!lost.isRecovered)
            // Who was given it has passed the hole.
            there.cut()
            try await cluster.leave(connection)
            _ = await node.send(4, to: cluster.alice)
            connection = try await cluster.connect(there, to: node, after: connection)
            #expect(connection.isRecovered)
            try await cluster.settle()
            #expect(away.log == ["new", "A 1", "new", "A 4"])
            #expect(there.log == ["new", "A 1", "A 2", "A 3", "A 4"])
        }
    }

    /// Three nodes, two of which send while a client is cut and comes back again and again, over stores that are slow at
    /// random, fail, or do not say what they did.
    @Test("§14.3: in replay or in live delivery, never in both nor in none", arguments: 0..<UInt64(24))
    func races(seed: UInt64) async throws {
        let race = RecoveryTestRace(seed: seed, failures: 12)
        let cluster = try RecoveryTestCluster(nodes: 3, fault: race.fault)
        let client = RecoveryTestClient()
        try await cluster.run {
            let senders = cluster.nodes.dropFirst().map { node -> @Sendable () async -> Void in
                { for number in 1...150 { _ = await node.send(number, to: cluster.alice) } }
            }
            let wasAlwaysRecovered = try await race.run(client, on: cluster, senders: senders)
            #expect(race.isFaulty || wasAlwaysRecovered)
            Self.check(client.state.withLock { $0.history }, seed: seed, isFaulty: race.isFaulty)
        }
    }

    /// Between two "new", the numbers of each sender rise; from "ready" on, without gap.
    private static func check(_ log: [String], seed: UInt64, isFaulty: Bool) {
        var newest: [Substring: Int] = [:]
        var isWhole: Set<Substring> = []
        var isReady = false
        for (index, line) in log.enumerated() {
            let parts = line.split(separator: " ")
            guard parts.count == 2, let number = Int(parts[1]) else {
                #expect(line == "new" || line == "ready", "seed \(seed)")
                isReady = line == "ready"
                isWhole = []
                if line == "new" { newest = [:] }
                continue
            }
            if let last = newest[parts[0]] {
                guard isWhole.contains(parts[0]) ? number == last + 1 : number > last else {
                    let around = log[max(0, index - 30)..<min(log.count, index + 5)]
                    Issue.record("seed \(seed): \(parts[0]) \(number) after \(last) in \(around)")
                    return
                }
            }
            newest[parts[0]] = number
            if isReady { isWhole.insert(parts[0]) }
        }
        if !isFaulty {
            #expect(log.count { $0 == "new" } == 1, "seed \(seed)")
            #expect(newest["B"] == 150 && newest["C"] == 150, "seed \(seed): \(newest)")
        }
    }
}
