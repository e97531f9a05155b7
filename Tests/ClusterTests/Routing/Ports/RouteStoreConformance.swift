import Routing
import Testing

/// What the committer relies on. Keys are new in every run, so a database may be shared.
enum RouteStoreConformance {
    static let checks: [ConformanceCheck<any RouteStore>] = [
        ConformanceCheck("ND-14: every key has a shard") { store async throws in
            #expect(store.shardCount > 0)
            for index in 0..<200 { #expect((0..<store.shardCount).contains(store.shard(of: Self.key("\(index)")))) }
        },
        ConformanceCheck("A key without a document is absent") { store async throws in
            let key = Self.key("absent")
            #expect(try await store.read([key], shard: store.shard(of: key)) == [:])
        },
        ConformanceCheck("ND-1: of two first writes one is committed, the other conflicts") { store async throws in
            let document = RouteDocument(key: Self.key("first"))
            let (one, two) = (Self.write(document, on: .random()), Self.write(document, on: .random()))
            #expect(try await Self.commit(one, to: store) == .committed)
            #expect(try await Self.commit(two, to: store) == .conflict)
            #expect(try await Self.read(document.key, from: store) == one.new)
        },
        ConformanceCheck("LC-2: an old version conflicts and changes nothing") { store async throws in
            let first = Self.write(RouteDocument(key: Self.key("old")), on: .random())
            #expect(try await Self.commit(first, to: store) == .committed)
            let second = Self.write(first.new, on: .random())
            #expect(try await Self.commit(second, to: store) == .committed)
            #expect(try await Self.commit(Self.write(first.new, on: .random()), to: store) == .conflict)
            #expect(try await Self.read(first.new.key, from: store) == second.new)
        },
        ConformanceCheck("LC-4: the same write again conflicts: a repeat has no effect") { store async throws in
            let first = Self.write(RouteDocument(key: Self.key("repeat")), on: .random())
            #expect(try await Self.commit(first, to: store) == .committed)
            #expect(try await Self.commit(first, to: store) == .conflict)
            #expect(try await Self.read(first.new.key, from: store) == first.new)
        },
        ConformanceCheck("LC-4: a round tells its losers, by position") { store async throws in
            let shard = store.shard(of: Self.key("round"))
            var keys: [RouteKey] = []
            while keys.count < 60 {
                let key = Self.key("round")
                if store.shard(of: key) == shard { keys.append(key) }
            }
            let node = NodeID.random()
            let taken = keys.enumerated().filter { $0.offset % 3 == 1 }.map(\.element)
            let earlier = taken.map { Self.write(RouteDocument(key: $0), on: .random()) }
            #expect(try await store.write(earlier, shard: shard) == earlier.map { _ in .committed })
            let writes = keys.map { Self.write(RouteDocument(key: $0), on: node) }
            let outcomes = try await store.write(writes, shard: shard)
            #expect(outcomes == keys.indices.map { $0 % 3 == 1 ? .conflict : .committed })
            let stored = try await store.read(keys, shard: shard)
            #expect(stored.count == keys.count)
            for (index, write) in writes.enumerated() where index % 3 != 1 {
                #expect(stored[write.new.key] == write.new)
            }
        },
        ConformanceCheck("ND-1: of many writers at once exactly one wins each version") { store async throws in
            let document = RouteDocument(key: Self.key("race"))
            for round in 0..<5 {
                let base = round == 0 ? document : try #require(try await Self.read(document.key, from: store))
                let outcomes = try await withThrowingTaskGroup { group in
                    for _ in 0..<8 {
                        group.addTask { try await Self.commit(Self.write(base, on: .random()), to: store) }
                    }
                    return try await group.reduce(into: [RouteWriteOutcome]()) { $0.append($1) }
                }
                #expect(outcomes.count { $0 == .committed } == 1)
                #expect(outcomes.count { $0 == .conflict } == 7)
            }
        },
        ConformanceCheck("LC-1: whatever changes, what is read is what was written", Self.evolve),
        ConformanceCheck("LC-1: a document with every field, and 256 connections", Self.roundTrip),
        ConformanceCheck("A document that vanished is not revived in parts") { store async throws in
            var old = RouteDocument(key: Self.key("vanished"))
            old.version = 5
            old.sequence = 77 << 20
            old.expires = Self.now + 1_000_000
            let write = Self.write(old, on: .random())
            switch try await Self.commit(write, to: store) {
            case .conflict: #expect(try await Self.read(old.key, from: store) == nil)
            case .committed: #expect(try await Self.read(old.key, from: store) == write.new)
            case .failed(let error): Issue.record("\(error)")
            }
        },
        ConformanceCheck("ND-4: finds the documents of a node by connection and by outbox", Self.findsByNode),
        ConformanceCheck("LC-8: a sweep takes no more than it asks for, and every one in the end", Self.sweeps),
        ConformanceCheck("LC-8: finds documents by deadline") { store async throws in
            let key = Self.key("due")
            var write = Self.write(RouteDocument(key: key), on: .random())
            // Long ago, so that a shared database has few of them.
            write.new.announcedClients["phone"] = .some(1_000)
            write.new.due = 1_000
            #expect(try await Self.commit(write, to: store) == .committed)
            #expect(try await store.keys(dueBefore: 1_000, limit: 10_000).contains(key) == false)
            #expect(try await store.keys(dueBefore: 1_001, limit: 10_000).contains(key))
            var done = RouteWrite(old: write.new, new: write.new)
            done.new.version += 1
            done.new.announcedClients["phone"] = .some(nil)
            done.new.due = nil
            #expect(try await Self.commit(done, to: store) == .committed)
            #expect(try await store.keys(dueBefore: 1_001, limit: 10_000).contains(key) == false)
        },
    ]

    // MARK: Longer checks

    /// A random life of one document, each step written as a difference and read back whole.
    @Sendable private static func evolve(_ store: any RouteStore) async throws {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix64(seed: seed)
        let nodes = (0..<3).map { _ in NodeID.random() }
        let key = Self.key("evolve")
        var document = RouteDocument(key: key)
        for step in 0..<80 {
            let node = nodes[Int.random(in: 0..<3, using: &generator)]
            var changes: [RouteChange] = []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                switch Int.random(in: 0..<10, using: &generator) {
                case 0..<5:
                    let client = ["phone", "läptop", "$set.x"].randomElement(using: &generator) ?? "phone"
                    changes.append(.connect(Self.connection(on: node, client: client)))
                case 5:
                    let pids = document.live.compactMap(\.recovery?.pid) + document.away.map(\.pid)
                    if let pid = pids.randomElement(using: &generator) {
                        changes.append(.recover(pid, Self.connection(on: node, client: "phone")))
                    }
                case 6:
                    if let old = document.live.randomElement(using: &generator) {
                        changes.append(
                            .disconnect(
                                old.socket, node: old.node, isFinal: Bool.random(using: &generator),
                                grace: [0, 1, 30, 60_000].randomElement(using: &generator) ?? 0))
                    }
                case 7 where Int.random(in: 0..<3, using: &generator) == 0: changes.append(.forget(client: "phone"))
                case 8 where Bool.random(using: &generator): changes.append(.settle(isOverdue: true))
                case 7: changes.append(.reap(nodes[Int.random(in: 0..<3, using: &generator)]))
                default: changes.append(.acknowledge(through: document.sequence))
                }
            }
            let recovery = RouteRecovery(window: 50) { _ in "rs0" }
            let next = RouteMachine(node: node, recovery: recovery).apply(changes, to: document, now: Self.now)
            let outcome = try await Self.commit(RouteWrite(old: document, new: next.document), to: store)
            #expect(outcome == .committed, "seed \(seed), step \(step)")
            let stored = try await Self.read(key, from: store)
            #expect(stored == next.document, "seed \(seed), step \(step): \(changes)")
            guard stored == next.document else { return }
            document = next.document
        }
    }

    /// Deadlines before all others, so that a shared database has no more of them: a range of an hour of 1970 of its own.
    @Sendable private static func sweeps(_ store: any RouteStore) async throws {
        let base = Int64.random(in: 1...1_000) * 3_600_000
        var open: [RouteKey: RouteDocument] = [:]
        for index in 0..<12 {
            var write = Self.write(RouteDocument(key: Self.key("sweep")), on: .random())
            write.new.live = []
            write.new.announcedClients = ["phone": base + Int64(index)]
            write.new.due = base + Int64(index)
            #expect(try await Self.commit(write, to: store) == .committed)
            open[write.new.key] = write.new
        }
        let all = try await store.keys(dueBefore: base + 12, limit: 10_000)
        #expect(Set(all).isSuperset(of: open.keys))
        #expect(Set(all).count == all.count)
        #expect(try await store.keys(dueBefore: base + 12, limit: 5).count == 5)
        #expect(Set(try await store.keys(dueBefore: base + 7, limit: 10_000)).intersection(open.keys).count == 7)
        // Another node finishes them, page by page; what others left in a shared database is not ours to finish.
        let machine = RouteMachine(node: .random())
        for (key, document) in open {
            let step = machine.apply([.settle(isOverdue: true)], to: document, now: Self.now)
            #expect(step.transitions.map(\.kind) == [.clientOffline, .userOffline])
            #expect(try await Self.commit(RouteWrite(old: document, new: step.document), to: store) == .committed)
            #expect(try await Self.read(key, from: store) == step.document)
        }
        let left = try await store.keys(dueBefore: base + 12, limit: 10_000)
        #expect(Set(left).isDisjoint(with: open.keys))
    }

    @Sendable private static func roundTrip(_ store: any RouteStore) async throws {
        let node = NodeID.random()
        var document = RouteDocument(key: Self.key("ünïcode/with.dots/$and slash"))
        document.version = 1
        document.live = (0..<256).map { Self.connection(on: node, client: "client.\($0 % 7)") }
        document.live[0].recovery?.take = 7
        document.live[1].recovery?.pid = nil
        document.live[2].recovery = nil
        document.live[3].recovery?.rooms = ["a$b.c", "ü"]
        document.live[3].recovery?.first = 1_800_000_000_000
        document.away = (0..<64).map { _ in
            RouteDocument.Away(
                socket: .random(on: node), client: "a$b.c", endpoint: "e", pid: PrivateIDHash(high: 1, low: .max),
                base: 1 << 40, until: 1_900_000_000_000,
                first: 1_700_000_000_000, rooms: ["x", "y.$z"])
        }
        document.logPlace = "rs/0.$x"
        document.announcedClients = ["client.0": 1_900_000_000_000, "a$b.c": nil, "client.1": nil]
        document.isUserAnnounced = true
        document.outbox = [
            RouteTransition(kind: .userOnline, client: nil, sequence: 1 << 51, owner: node),
            RouteTransition(kind: .clientOffline, client: "a$b.c", sequence: (1 << 51) + 1, owner: .random()),
        ]
        document.sequence = (1 << 51) + 1
        document.due = 1_900_000_000_000
        let first = RouteWrite(old: RouteDocument(key: document.key), new: document)
        #expect(try await Self.commit(first, to: store) == .committed)
        #expect(try await Self.read(document.key, from: store) == document)

        var empty = RouteDocument(key: document.key)
        empty.version = 2
        empty.sequence = document.sequence
        empty.expires = Self.now + RouteMachine.emptyLifespan
        #expect(try await Self.commit(RouteWrite(old: document, new: empty), to: store) == .committed)
        #expect(try await Self.read(document.key, from: store) == empty)
    }

    @Sendable private static func findsByNode(_ store: any RouteStore) async throws {
        let (node, other) = (NodeID.random(), NodeID.random())
        let live = Self.write(RouteDocument(key: Self.key("live")), on: node)
        #expect(try await Self.commit(live, to: store) == .committed)
        let own = Self.write(RouteDocument(key: Self.key("out")), on: node)
        #expect(try await Self.commit(own, to: store) == .committed)
        // Its connection goes, committed by another node; the transitions stay the first node's.
        let left = RouteMachine(node: other).apply(
            own.new.live.map { .disconnect($0.socket, node: node) }, to: own.new, now: Self.now)
        #expect(try await Self.commit(RouteWrite(old: own.new, new: left.document), to: store) == .committed)
        let foreign = Self.write(RouteDocument(key: Self.key("foreign")), on: other)
        #expect(try await Self.commit(foreign, to: store) == .committed)

        #expect(Set(try await store.keys(of: node, limit: 100)) == [live.new.key, own.new.key])
        #expect(try await store.keys(of: node, limit: 1).count == 1)
        #expect(try await store.keys(of: .random(), limit: 100) == [])

        for document in [live.new, left.document] {
            let reaped = RouteMachine(node: other).apply([.reap(node)], to: document, now: Self.now)
            #expect(try await Self.commit(RouteWrite(old: document, new: reaped.document), to: store) == .committed)
        }
        #expect(try await store.keys(of: node, limit: 100) == [])
    }

    // MARK: Parts

    private static var now: Int64 { SystemClusterClock().wallTime() }

    private static func key(_ name: String) -> RouteKey {
        RouteKey(domain: "conformance.test", user: "\(name)-\(Base64URL.random128())")
    }

    private static func connection(on node: NodeID, client: String) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: .random(on: node), node: node, client: client, endpoint: Base64URL.random128(), since: Self.now,
            recovery: .init(pid: PrivateIDHash(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))))
    }

    /// The write that a connect to `node` makes of the document.
    private static func write(_ document: RouteDocument, on node: NodeID) -> RouteWrite {
        let connect = RouteChange.connect(Self.connection(on: node, client: "phone"))
        return RouteWrite(
            old: document, new: RouteMachine(node: node).apply([connect], to: document, now: Self.now).document)
    }

    private static func commit(_ write: RouteWrite, to store: any RouteStore) async throws -> RouteWriteOutcome {
        let outcomes = try await store.write([write], shard: store.shard(of: write.new.key))
        return try #require(outcomes.first)
    }

    private static func read(_ key: RouteKey, from store: any RouteStore) async throws -> RouteDocument? {
        try await store.read([key], shard: store.shard(of: key))[key]
    }
}
