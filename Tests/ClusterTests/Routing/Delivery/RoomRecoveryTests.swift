import NIOCore
import Routing
import Synchronization
import Testing
import Wire

/// Broadcasts, rooms and recoveries over several nodes in one process (SOCKETIO §14).
@Suite("Rooms under connection state recovery", .timeLimit(.minutes(2))) struct RoomRecoveryTests {
    @Test("§14.2: broadcasts of the whole namespace, its rooms and its own id come in order, others not")
    func replay() async throws {
        let cluster = try RecoveryTestCluster(nodes: 2)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        try await cluster.run {
            let client = RecoveryTestClient()
            var connection = try await cluster.connect(client, to: a)
            try await cluster.join(connection, ["r", "s"])
            let first = await b.broadcast(1, to: ["r"])
            #expect(first == RoomReceipt(local: 0, nodes: 1, isComplete: true))
            try await cluster.settle()
            client.cut()
            await a.broadcast(1)
            try await cluster.leave(connection)
            await b.broadcast(2, to: ["x", "s"])
            await b.broadcast(3, to: ["x"])
            await b.broadcast(4, except: ["s"])
            await b.broadcast(5, to: [connection.sid])
            await a.broadcast(2, to: ["r"])
            connection = try await cluster.connect(client, to: b, after: connection)
            #expect(connection.isRecovered)
            await a.broadcast(3, to: ["r"])
            await b.broadcast(6, to: ["x", "s"])
            _ = await a.send(1, to: cluster.alice)
            try await cluster.settle()
            let log = client.log
            #expect(log.filter { $0.hasPrefix("Ab") } == (1...3).map { "Ab \($0)" })
            #expect(log.filter { $0.hasPrefix("Bb") } == [1, 2, 5, 6].map { "Bb \($0)" })
            #expect(log.first == "new" && log.last == "A 1" && log.count == 9)
        }
    }

    @Test("§14.1.3: an event by identity tells how far broadcasts have come; none comes twice on a second loss")
    func sharedPosition() async throws {
        let cluster = try RecoveryTestCluster(nodes: 1)
        let node = cluster.nodes[0]
        try await cluster.run {
            let (one, two) = (RecoveryTestClient(), RecoveryTestClient())
            var connection = try await cluster.connect(one, to: node)
            _ = try await cluster.connect(two, to: node)
            for number in 1...3 { await node.broadcast(number) }
            _ = await node.send(1, to: cluster.alice)
            try await cluster.settle()
            for number in 1...3 {
                one.cut()
                try await cluster.leave(connection)
                if number == 2 { await node.broadcast(4) }
                connection = try await cluster.connect(one, to: node, after: connection)
                #expect(connection.isRecovered)
            }
            try await cluster.settle()
            for client in [one, two] {
                let log = client.log
                #expect(log == ["new", "Ab 1", "Ab 2", "Ab 3", "A 1", "Ab 4"])
            }
        }
    }

    @Test("§14.1.6: a broadcast that could not be logged is delivered all the same; who missed it is not recovered")
    func failingAppend() async throws {
        let isFailing = RecoveryTestFlag()
        let cluster = try RecoveryTestCluster(nodes: 1, fault: isFailing.failingAppends)
        let node = cluster.nodes[0]
        try await cluster.run {
            let (away, other, there) = (RecoveryTestClient(), RecoveryTestClient(), RecoveryTestClient())
            var (lost, stranger) = (
                try await cluster.connect(away, to: node), try await cluster.connect(other, to: node)
            )
            try await cluster.join(lost, ["r"])
            let connection = try await cluster.connect(there, to: node)
            try await cluster.join(connection, ["r"])
            await node.broadcast(1)
            try await cluster.settle()
            for (client, gone) in [(away, lost), (other, stranger)] {
                client.cut()
                try await cluster.leave(gone)
            }
            isFailing.set(true)
            #expect(await node.broadcast(2, to: ["r"]) == RoomReceipt(local: 1, nodes: 0, isComplete: false))
            isFailing.set(false)
            #expect(await node.broadcast(3).isComplete)
            lost = try await cluster.connect(away, to: node, after: lost)
            #expect(!lost.isRecovered)
            // It was not in the room.
            stranger = try await cluster.connect(other, to: node, after: stranger)
            #expect(stranger.isRecovered)
            try await cluster.settle()
            #expect(there.log == ["new", "Ab 1", "Ab 2", "Ab 3"])
            #expect(away.log == ["new", "Ab 1", "new"])
            #expect(other.log == ["new", "Ab 1", "Ab 3"])
        }
    }

    @Test("§12: what one caller asks of `/` keeps its order, logged or not")
    func order() async throws {
        let cluster = try RecoveryTestCluster(nodes: 2)
        let node = cluster.nodes[0]
        try await cluster.run {
            let client = RecoveryTestClient()
            let connection = try await cluster.connect(client, to: cluster.nodes[1])
            for number in 1...200 {
                let room = "r\(number)"
                node.rooms.join([room], RoomTarget(rooms: [connection.sid]), in: RecoveryTestNode.scope)
                let packet = OutboundPacket(text: ByteBuffer(string: "2[\"Ab\",\(number)]"))
                node.rooms.emit(packet, to: RoomTarget(rooms: [room]), in: RecoveryTestNode.scope)
                node.rooms.leave([room], RoomTarget(rooms: [room]), in: RecoveryTestNode.scope)
            }
            await node.broadcast(201)
            try await cluster.settle()
            #expect(client.log == ["new"] + (1...201).map { "Ab \($0)" })
        }
    }

    /// Two of three nodes broadcast and send by identity while a client joins a room and is cut, again and again.
    @Test("§14.3: in replay or in live delivery, never in both nor in none", arguments: 0..<UInt64(24))
    func races(seed: UInt64) async throws {
        let race = RecoveryTestRace(seed: seed, failures: 8)
        let cluster = try RecoveryTestCluster(nodes: 3, fault: race.fault)
        let client = RecoveryTestClient()
        try await cluster.run {
            let senders = cluster.nodes.dropFirst().flatMap { node -> [@Sendable () async -> Void] in
                [{ await Self.broadcast(100, from: node) }, { await Self.send(100, from: node, to: cluster.alice) }]
            }
            let wasAlwaysRecovered = try await race.run(client, on: cluster, senders: senders) { connection in
                try await cluster.join(connection, ["r"])
                client.state.withLock { $0.history.append("joined") }
            }
            #expect(race.isFaulty || wasAlwaysRecovered)
            Self.check(client.log, seed: seed, isFaulty: race.isFaulty)
        }
    }

    private static func broadcast(_ count: Int, from node: RecoveryTestNode) async {
        for number in 1...count {
            await node.broadcast(number, to: number % 3 == 0 ? [] : ["r"], except: ["never"])
            await node.broadcast(0, to: ["elsewhere"])
        }
    }

    private static func send(_ count: Int, from node: RecoveryTestNode, to key: RouteKey) async {
        for number in 1...count { _ = await node.send(number, to: key) }
    }

    /// The numbers of each sender are without gap and without repetition, from "joined" on.
    private static func check(_ log: [String], seed: UInt64, isFaulty: Bool) {
        var newest: [Substring: Int] = [:]
        var isJoined = false
        for line in log {
            let parts = line.split(separator: " ")
            guard parts.count == 2, let number = Int(parts[1]) else {
                #expect(line == "new" || line == "joined", "seed \(seed)")
                isJoined = line == "joined"
                if !isJoined { newest = [:] }
                continue
            }
            guard isJoined else { continue }
            if let last = newest[parts[0]], number != last + 1 {
                Issue.record("seed \(seed): \(parts[0]) \(number) after \(last) in \(log)")
                return
            }
            newest[parts[0]] = number
        }
        guard !isFaulty else { return }
        #expect(log.count { $0 == "new" } == 1, "seed \(seed)")
        #expect(newest == ["B": 100, "C": 100, "Bb": 100, "Cb": 100], "seed \(seed)")
    }
}

extension RecoveryTestConnection {
    var sid: String { self.socket.text }
}
