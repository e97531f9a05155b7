import Routing
import Testing

/// The races of SPEC LC-7, with the production drivers of several nodes on one clock of their own.
@Suite("Presence races (LC-7)", .timeLimit(.minutes(1))) struct PresenceRaceTests {
    private static let second = Nanoseconds.seconds(1)
    private let alice = RouteKey(domain: "localhost", user: "alice")
    private let bob = RouteKey(domain: "localhost", user: "bob")

    @Test("LC-7: the last tab closes on A while the first opens on B", arguments: 1...UInt64(20))
    func handover(seed: UInt64) async throws {
        let cluster = RoutingTestCluster(seed: seed)
        let (a, b) = (cluster.start(), cluster.start())
        let old = a.connect(self.alice)
        cluster.world.run { cluster.kinds(of: self.alice) == [.userOnline, .clientOnline] }
        a.disconnect(old, self.alice)
        let new = b.connect(self.alice)
        cluster.world.run(for: 3 * Self.second)
        let later = Array(cluster.emissions.dropFirst(2))
        #expect(
            later.isEmpty
                || later.map(\.transition.kind) == [.clientOffline, .userOffline, .userOnline, .clientOnline])
        #expect(later.map(\.transition.sequence) == later.map(\.transition.sequence).sorted())
        let document = try #require(try await cluster.stored(self.alice))
        #expect(document.live.map(\.socket) == [new])
        #expect(document.outbox == [] && document.isUserAnnounced)
    }

    @Test("LC-7: simultaneous first connects on two nodes make one userOnline", arguments: 1...UInt64(20))
    func firstConnects(seed: UInt64) async throws {
        let cluster = RoutingTestCluster(seed: seed)
        let (a, b) = (cluster.start(), cluster.start())
        let sockets = [a.connect(self.alice), b.connect(self.alice), b.connect(self.alice, client: "laptop")]
        cluster.world.run(for: 3 * Self.second)
        let kinds = cluster.kinds(of: self.alice)
        #expect(kinds.first == .userOnline)
        #expect(kinds.count { $0 == .userOnline } == 1)
        #expect(kinds.count { $0 == .clientOnline } == 2 && kinds.count == 3)
        let document = try #require(try await cluster.stored(self.alice))
        #expect(Set(document.live.map(\.socket)) == Set(sockets))
    }

    @Test("LC-7: crash: offline within 13 s, once, by a survivor; others unaffected", arguments: 0..<Int64(20))
    func crash(phase: Int64) async throws {
        let cluster = RoutingTestCluster(seed: UInt64(phase) + 1)
        let (a, b, c) = (cluster.start(), cluster.start(), cluster.start())
        a.connect(self.alice)
        a.connect(self.bob)
        c.connect(self.bob)
        // The crash falls anywhere between two renewals.
        cluster.world.run(for: 4 * Self.second + phase * Nanoseconds.milliseconds(100))
        let before = cluster.emissions.count
        let moment = cluster.world.now
        a.crash()
        cluster.world.run(for: 13 * Self.second)
        let later = cluster.emissions.dropFirst(before)
        #expect(later.map(\.transition.kind) == [.clientOffline, .userOffline])
        #expect(later.allSatisfy { $0.key == self.alice && $0.node != a.id && $0.time - moment <= 13 * Self.second })
        #expect(b.end == nil && c.end == nil)
        // EV-6: whoever looks sees the node as claimed.
        #expect(b.view.claimedNodes == [a.id] || c.view.claimedNodes == [a.id])
        cluster.world.run(for: 700 * Self.second)
        #expect(cluster.emissions.count == before + 2)
        #expect(try await cluster.stored(self.bob)?.live.map(\.node) == [c.id])
        #expect(try await cluster.registry.find(a.id)?.state == .gone)
    }

    @Test("LC-7: restart at the same address: nobody else's users are affected; the returning user stays online")
    func restart() async throws {
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(address: "10.0.0.1"), cluster.start(address: "10.0.0.2"))
        a.connect(self.alice)
        b.connect(self.bob)
        cluster.world.run(for: 5 * Self.second)
        let before = cluster.emissions.count
        a.crash()
        let again = cluster.start(address: "10.0.0.1")
        let socket = again.connect(self.alice)
        cluster.world.run(for: 60 * Self.second)
        #expect(cluster.emissions.count == before)
        #expect(try await cluster.stored(self.alice)?.live.map(\.socket) == [socket])
        #expect(b.end == nil && again.end == nil)
        #expect(try await cluster.registry.find(a.id)?.state == .gone)
    }

    @Test("LC-7: a paused node finds itself claimed, drops everything, and emits nothing twice")
    func pause() async throws {
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(), cluster.start())
        a.connect(self.alice)
        cluster.world.run(for: 5 * Self.second)
        let before = cluster.emissions.count
        // Work is waiting in the very moment of the pause.
        a.connect(self.alice, client: "laptop")
        a.process.setPaused(true)
        cluster.world.run(for: 20 * Self.second)
        #expect(cluster.emissions.dropFirst(before).allSatisfy { $0.node == b.id })
        #expect(cluster.kinds(of: self.alice).last == .userOffline)
        let reaped = cluster.emissions.count
        a.process.setPaused(false)
        // ND-3: by its own clock, before it has heard anything.
        #expect(!a.view.standing.mayCallHandlers && !a.view.standing.mayWriteRoutes)
        cluster.world.run { a.end != nil }
        #expect(a.end == .claimed)
        #expect(a.view.standing.isIsolated)
        cluster.world.run(for: 100 * Self.second)
        #expect(cluster.emissions.count == reaped)
        #expect(try await cluster.stored(self.alice)?.live == [])
        #expect(b.end == nil)
    }

    @Test("LC-7: an outage of 12 s costs no socket, reaps nobody, and connects work again after it")
    func election() async throws {
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(), cluster.start())
        let sockets = [a.connect(self.alice), b.connect(self.bob)]
        cluster.world.run(for: 5 * Self.second)
        let before = cluster.emissions.count
        cluster.setOutage(for: 12 * Self.second)
        cluster.world.run(for: 9 * Self.second)
        #expect(!a.view.standing.mayAccept)
        cluster.world.run(for: 4 * Self.second)
        let late = a.connect(self.alice, client: "laptop")
        cluster.world.run(for: 30 * Self.second)
        #expect(a.end == nil && b.end == nil)
        #expect(a.view.claimedNodes == [] && b.view.claimedNodes == [])
        #expect(a.view.standing == .held && b.view.standing == .held)
        #expect(cluster.emissions.dropFirst(before).map(\.transition.kind) == [.clientOnline])
        #expect(a.result(of: late) == .success(.connected(superseded: [])))
        let live = try #require(try await cluster.stored(self.alice)).live
        #expect(live.map(\.socket) == [sockets[0], late])
    }

    @Test("ND-3, ND-13: without MongoDB for 30 s a node gives up; connects fail in time, none is left hanging")
    func isolation() async throws {
        let cluster = RoutingTestCluster()
        let node = cluster.start()
        node.connect(self.alice)
        cluster.world.run(for: 5 * Self.second)
        cluster.setOutage(for: 100 * Self.second)
        let late = node.connect(self.bob)
        cluster.world.run(for: 6 * Self.second)
        #expect(node.result(of: late) == .failure(.deadline))
        cluster.world.run(for: 26 * Self.second)
        #expect(node.end == .silent)
        #expect(node.view.standing.isIsolated)
        let refused = node.connect(self.bob)
        #expect(node.result(of: refused) == .failure(.closed))
        // The next incarnation of the same process cleans up after this one.
        cluster.world.run(for: 80 * Self.second)
        let next = cluster.start()
        cluster.world.run(for: 15 * Self.second)
        #expect(cluster.kinds(of: self.alice) == [.userOnline, .clientOnline, .clientOffline, .userOffline])
        #expect(cluster.emissions.last?.node == next.id)
    }

    @Test("LC-6, LC-7: a reconnect supersedes the old SID; its removal leaves the new one", arguments: [true, false])
    func reconnect(isRemovalFirst: Bool) async throws {
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(), cluster.start())
        let old = a.connect(self.alice, endpoint: "tab")
        cluster.world.run(for: Self.second)
        if isRemovalFirst { a.disconnect(old, self.alice) }
        let new = b.connect(self.alice, endpoint: "tab")
        cluster.world.run(for: Self.second)
        if !isRemovalFirst {
            guard case .success(.connected(let superseded)) = b.result(of: new) else {
                Issue.record("not connected")
                return
            }
            #expect(superseded.map(\.socket) == [old])
            a.disconnect(old, self.alice)
        }
        cluster.world.run(for: Self.second)
        #expect(try await cluster.stored(self.alice)?.live.map(\.socket) == [new])
        if !isRemovalFirst { #expect(cluster.kinds(of: self.alice) == [.userOnline, .clientOnline]) }
    }

    @Test("ND-12: a drained node leaves nothing to reap")
    func drain() async throws {
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(), cluster.start())
        let socket = a.connect(self.alice)
        cluster.world.run(for: Self.second)
        a.disconnect(socket, self.alice)
        a.drain()
        #expect(cluster.kinds(of: self.alice) == [.userOnline, .clientOnline, .clientOffline, .userOffline])
        #expect(try await cluster.routes.keys(of: a.id, limit: 10) == [])
        #expect(try await cluster.registry.find(a.id)?.state == .gone)
        cluster.world.run(for: 30 * Self.second)
        #expect(cluster.emissions.count == 4 && b.end == nil)
    }

    @Test("ND-5: a newcomer of the same name supersedes; its users' offline follows from the newcomer, once")
    func supersession() async throws {
        let cluster = RoutingTestCluster()
        let old = cluster.start(name: "one")
        old.connect(self.alice)
        cluster.world.run(for: 3 * Self.second)
        let new = cluster.start(name: "one")
        cluster.world.run { old.end != nil }
        #expect(old.end == .superseded)
        #expect(!old.view.standing.mayAccept)
        // It exits without removing anything: the newcomer does.
        old.crash()
        cluster.world.run(for: 15 * Self.second)
        #expect(cluster.kinds(of: self.alice) == [.userOnline, .clientOnline, .clientOffline, .userOffline])
        #expect(cluster.emissions.last?.node == new.id)
        #expect(new.end == nil && new.view.standing == .held)
    }

    @Test("ND-4: a reaper's crash is survived: the claim is taken over")
    func reaperCrash() async throws {
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(), cluster.start())
        a.connect(self.alice)
        cluster.world.run(for: 4 * Self.second)
        a.crash()
        // The claim stands, and the claimer does nothing more.
        cluster.world.run { b.view.claimedNodes == [a.id] }
        b.crash()
        let count = cluster.emissions.count
        let c = cluster.start()
        cluster.world.run(for: 30 * Self.second)
        let kinds = cluster.kinds(of: self.alice)
        #expect(kinds.suffix(2) == [.clientOffline, .userOffline])
        #expect(cluster.emissions.dropFirst(count).allSatisfy { $0.node == c.id })
        #expect(try await cluster.stored(self.alice)?.outbox == [])
        #expect(try await cluster.registry.find(a.id)?.state == .gone)
        #expect(try await cluster.registry.find(b.id)?.state == .gone)
    }
}
