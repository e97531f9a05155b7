import Routing
import Wire

/// Several nodes, run by the production machines, over a store that delays, fails, answers unclearly or with old state,
/// and whose writes may land late. Everything follows from the seed.
final class RoutingSimulation {
    struct Emission {
        let time: Int64
        let node: NodeID
        let isRepeatExcused: Bool
        let transition: RouteTransition
    }

    /// Something a node asks of MongoDB lies on one of these.
    enum Resource: Hashable {
        case shard(Int)
        case registry
    }

    /// How long clients without a connection stay announced, in milliseconds (LC-8).
    struct Graces {
        var presence: Int64
        var moving: Int64
    }

    static let shardCount = 2
    /// When it begins by the primary's clock, in milliseconds.
    static let epoch: Int64 = 1_000_000
    /// Little room, so that there is none at times.
    static let graceOptions = GraceOptions(kept: 2, page: 2)
    private static let second = Nanoseconds.seconds(1)
    private static let millisecond = Nanoseconds.milliseconds(1)

    let seed: UInt64
    var now: Int64 = 0
    var generator: SplitMix64
    var documents: [RouteKey: RouteDocument] = [:]
    var records: [NodeID: NodeRecord] = [:]
    var nodes: [RoutingSimulatedNode] = []
    var emissions: [RouteKey: [Emission]] = [:]
    /// What the documents have announced, and what the handlers were told.
    var committed: [RouteKey: RoutingPresenceLedger] = [:]
    var emitted: [RouteKey: RoutingPresenceLedger] = [:]
    /// The route of each SID.
    var places: [SocketID: RouteKey] = [:]
    /// Whose connection each SID is (§11.7).
    var owners: [SocketID: RouteKey] = [:]
    /// Clients that were cut off at some time: their graces may end early.
    var cuts: [RouteKey: Set<String>] = [:]
    /// What is wrong; the run ends with the first.
    private(set) var faults: [String] = []
    /// Readable, if asked for.
    private(set) var history: [String] = []
    private let isTraced: Bool
    /// Connections are recoverable, and clients come back for them (SOCKETIO §14).
    let recovers: Bool
    /// Another one with each seed; none at all in a quarter of them.
    let graces: Graces
    /// How wrong a node may be about the primary's clock before its first renewal, in milliseconds.
    let clockError: Int64
    /// Whether clients are kicked.
    private let kicks: Bool
    private var queue = RoutingEventQueue<() -> Void>()
    private var outages: [Resource: (end: Int64, documents: [RouteKey: RouteDocument])] = [:]
    /// nil while nobody links to anybody.
    var links: RoutingLinkLedger?
    private var isFaulty = true
    private(set) var ids: UInt64 = 0
    let keys: [RouteKey]
    /// Private IDs that clients have and may come back with.
    private var known: [(pid: PrivateIDHash, key: RouteKey, client: String)] = []

    /// When the faults and the clients' actions end.
    private let calm = 25 * second
    /// Long enough after it for claims, reaping and the first two scans.
    private let end = 105 * second

    init(seed: UInt64, recovers: Bool = false, links: Bool = false, isTraced: Bool = false) {
        self.seed = seed
        self.recovers = recovers
        self.isTraced = isTraced
        var generator = SplitMix64(seed: seed)
        let presence = [0, 1_000, 5_000, 5_000].randomElement(using: &generator) ?? 0
        let moving = [presence, 8_000, 20_000, 20_000].randomElement(using: &generator) ?? 0
        self.graces = Graces(presence: Int64(presence), moving: Int64(moving))
        self.clockError = [300, 5_000].randomElement(using: &generator) ?? 0
        self.kicks = Bool.random(using: &generator)
        if links { self.links = RoutingLinkLedger(&generator) }
        self.generator = generator
        // One name in two domains where clients come back, as they may then present what belongs to the other.
        let last =
            recovers ? RouteKey(domain: "elsewhere", user: "user0") : RouteKey(domain: "localhost", user: "user2")
        self.keys = (0..<2).map { RouteKey(domain: "localhost", user: "user\($0)") } + [last]
    }

    // MARK: Tools

    func trace(_ text: @autoclosure () -> String) {
        guard self.isTraced else { return }
        self.history.append("\(self.now / Self.millisecond) ms  \(text())")
    }

    func fault(_ text: String?) {
        guard let text else { return }
        self.faults.append(text)
        self.trace("WRONG: \(text)")
    }

    /// The primary's clock.
    var clusterTime: Int64 { Self.epoch + self.now / Self.millisecond }

    func at(_ time: Int64, _ body: @escaping () -> Void) { self.queue.push(body, at: max(time, self.now)) }

    func random(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self.generator) }

    func chance(_ percent: Int64) -> Bool { self.random(0...99) < percent }

    func newID() -> UInt64 {
        self.ids += 1
        return self.ids
    }

    func newNodeID() -> NodeID { NodeID(high: self.newID(), low: 0) }

    func shard(of key: RouteKey) -> Int { Int(key.text.utf8.last ?? 0) % Self.shardCount }

    // MARK: Run

    func run() {
        self.trace(
            "graces \(self.graces.presence) and \(self.graces.moving) ms, clocks off by \(self.clockError) ms"
                + (self.kicks ? ", kicks" : "") + (self.recovers ? ", recovery" : ""))
        for _ in 0..<3 { self.start() }
        self.scheduleAction()
        for _ in 0..<Int(self.random(1...3)) { self.scheduleFault() }
        self.at(self.calm) {
            self.isFaulty = false
            self.outages = [:]
            self.trace("calm")
        }
        while self.faults.isEmpty, let (time, body) = self.queue.pop(), time <= self.end {
            self.now = time
            body()
        }
    }

    func start() {
        let node = RoutingSimulatedNode(id: self.newNodeID(), simulation: self)
        self.nodes.append(node)
        node.start()
    }

    private func scheduleAction() {
        self.at(self.now + self.random(5...400) * Self.millisecond) {
            guard self.isFaulty else { return }
            self.act()
            self.scheduleAction()
        }
    }

    private func act() {
        let nodes = self.nodes.filter(\.mayAccept)
        let sockets = nodes.flatMap(\.openSockets)
        if self.links != nil, !sockets.isEmpty, self.chance(35) { return self.actOnLinks(sockets, nodes) }
        if !sockets.isEmpty, self.chance(45) {
            let socket = sockets[Int(self.random(0...Int64(sockets.count - 1)))]
            if let pid = socket.pid, !socket.isPending {
                self.known.append((pid, socket.key, socket.connection.client))
            }
            if self.kicks, self.chance(15) {
                return self.kick(self.chance(50) ? socket.connection.client : nil, socket.key, nodes)
            }
            nodes.first { $0.id == socket.connection.node }?
                .disconnect(socket.connection.socket, isFinal: self.recovers && self.chance(20))
            if self.chance(40) { self.comeBack(socket, after: self.random(50...6_000)) }
            return
        }
        guard !nodes.isEmpty else { return }
        if self.recovers, self.chance(35) {
            // Lost, or only half: the client comes back before anybody noticed, or comes twice.
            for socket in sockets where socket.pid != nil && !socket.isPending && self.chance(10) {
                if let pid = socket.pid { self.known.append((pid, socket.key, socket.connection.client)) }
            }
            if let (pid, key, client) = self.known.randomElement(using: &self.generator) {
                if self.chance(90) { self.known.removeAll { $0.pid == pid } }
                return self.recover(pid, key, client, nodes)
            }
        }
        let node = nodes[Int(self.random(0...Int64(nodes.count - 1)))]
        var key = self.keys[Int(self.random(0...Int64(self.keys.count - 1)))]
        var client = "client\(self.random(0...1))"
        self.ids += 1
        var endpoint = "endpoint\(self.ids)"
        if !sockets.isEmpty, self.chance(25) {
            // A page comes back while its old connection is still there.
            let old = sockets[Int(self.random(0...Int64(sockets.count - 1)))]
            (key, client, endpoint) = (old.key, old.connection.client, old.connection.endpoint)
            self.endByHeartbeat(old)
        }
        let socket = SocketID(node: node.id, high: self.ids, low: 0)
        node.connect(
            RouteDocument.Connection(
                socket: socket, node: node.id, client: client, endpoint: endpoint, since: self.clusterTime,
                takesRosters: true,
                recovery: self.recovers ? .init(pid: PrivateIDHash(high: 0, low: self.ids)) : nil),
            key: key)
        if self.chance(10) { node.disconnect(socket) }
    }

    /// A page that was reloaded, or sent elsewhere: the same one, on any node.
    private func comeBack(_ old: RoutingSimulatedNode.Socket, after delay: Int64, attempts: Int = 4) {
        self.at(self.now + delay * Self.millisecond) {
            guard let node = self.nodes.filter(\.mayAccept).randomElement(using: &self.generator) else {
                if attempts > 0 { self.comeBack(old, after: 2 * delay, attempts: attempts - 1) }
                return
            }
            self.endByHeartbeat(old)
            self.ids += 1
            let socket = SocketID(node: node.id, high: self.ids, low: 0)
            node.connect(
                RouteDocument.Connection(
                    socket: socket, node: node.id, client: old.connection.client, endpoint: old.connection.endpoint,
                    since: self.clusterTime, takesRosters: true,
                    recovery: self.recovers ? .init(pid: PrivateIDHash(high: 0, low: self.ids)) : nil),
                key: old.key)
        }
    }

    /// A page has one connection: what is left of earlier ones is dead, whether or not its node is told (LC-6, LC-9).
    private func endByHeartbeat(_ page: RoutingSimulatedNode.Socket) {
        for node in self.nodes {
            for socket in node.openSockets
            where socket.key == page.key && socket.connection.client == page.connection.client
                && socket.connection.endpoint == page.connection.endpoint
            {
                self.at(self.now + 20 * Self.second) { node.disconnect(socket.connection.socket) }
            }
        }
    }

    /// - Parameter client: nil: all of the user.
    private func kick(_ client: String?, _ key: RouteKey, _ nodes: [RoutingSimulatedNode]) {
        self.cuts[key, default: []].formUnion(client.map { [$0] } ?? ["client0", "client1"])
        nodes.randomElement(using: &self.generator)?.forget(client, key: key)
        for node in nodes {
            for socket in node.openSockets
            where socket.key == key && (client == nil || socket.connection.client == client) {
                node.disconnect(socket.connection.socket, isFinal: true, grace: 0, links: .close(.kick))
            }
        }
    }

    /// A node is restarted: its clients come back elsewhere.
    private func restart(_ node: RoutingSimulatedNode) {
        let sockets = node.openSockets
        node.drain()
        for socket in sockets where self.chance(85) { self.comeBack(socket, after: self.random(900...5_500)) }
        if self.chance(60) { self.at(self.now + self.random(1...6) * Self.second) { self.start() } }
    }

    private func recover(_ pid: PrivateIDHash, _ key: RouteKey, _ client: String, _ nodes: [RoutingSimulatedNode]) {
        let node = nodes[Int(self.random(0...Int64(nodes.count - 1)))]
        self.ids += 1
        let socket = SocketID(node: node.id, high: 0, low: self.ids * 2)
        if self.chance(5), let stranger = self.keys.first(where: { $0.user == key.user && $0.domain != key.domain }) {
            return node.connect(
                RouteDocument.Connection(
                    socket: socket, node: node.id, client: client, endpoint: "endpoint\(self.ids)",
                    since: self.clusterTime, takesRosters: true,
                    recovery: .init(pid: PrivateIDHash(high: 0, low: self.ids))),
                key: stranger, recovering: pid, isForeign: true)
        }
        node.connect(
            RouteDocument.Connection(
                socket: socket, node: node.id, client: client, endpoint: "endpoint\(self.ids)",
                since: self.clusterTime, takesRosters: true,
                recovery: .init(pid: PrivateIDHash(high: 0, low: self.ids))),
            key: key, recovering: pid)
        if self.chance(15) { node.disconnect(socket) }
    }

    private func scheduleFault() {
        self.at(self.random(2...22) * Self.second) {
            guard self.isFaulty else { return }
            let node = self.nodes.filter(\.isRunning).randomElement(using: &self.generator)
            switch self.random(0...11) {
            case 10...11:
                guard let node, !node.isPaused, self.nodes.contains(where: { $0.isStaying && $0 !== node }) else {
                    return
                }
                self.restart(node)
            case 0...2:
                guard let node, self.nodes.contains(where: { $0.isStaying && $0 !== node }) else { return }
                node.crash()
                if self.chance(50) { self.at(self.now + self.random(0...5) * Self.second) { self.start() } }
            case 3...4:
                node?.pause(for: self.random(2...45) * Self.second)
            case 5:
                guard let node, self.nodes.contains(where: { $0.isStaying && $0 !== node }) else { return }
                self.restart(node)
            default:
                let resource: Resource = self.chance(30) ? .registry : .shard(Int(self.random(0...1)))
                let length = self.random(1...12) * Self.second
                self.trace("\(resource) is down for \(length / Self.second) s")
                self.outages[resource] = (self.now + length, self.documents)
                self.links?.noteOutage(of: resource)
            }
        }
    }

    // MARK: MongoDB

    /// A call from a process to MongoDB: `effect` at some time or never, `answer` within 2 s.
    /// - Parameter stale: what a deposed primary would answer; nil for a write.
    func call<R>(
        _ resource: Resource, effect: @escaping () -> R, stale: (([RouteKey: RouteDocument]) -> R)? = nil,
        answer: @escaping (Result<R, StoreError>) -> Void
    ) {
        func fail(_ code: StoreError.Code, after delay: Int64) {
            self.at(self.now + delay) {
                answer(.failure(StoreError(code, operation: "\(resource)", message: "injected")))
            }
        }
        if let outage = self.outages[resource], outage.end > self.now {
            switch self.random(0...9) {
            case 0...3: fail(.unavailable, after: self.random(1...50) * Self.millisecond)
            case 4...6 where stale != nil:
                if let stale {
                    let result = stale(outage.documents)
                    self.at(self.now + self.random(1...20) * Self.millisecond) { answer(.success(result)) }
                }
            default:
                fail(.unknownOutcome, after: 2 * Self.second)
                if stale == nil, self.chance(30) {
                    self.at(outage.end + self.random(0...2_000) * Self.millisecond) { _ = effect() }
                }
            }
            return
        }
        let luck = self.isFaulty ? self.random(0...999) : 999
        switch luck {
        case 0...19:
            fail(.unknownOutcome, after: self.random(1...2_000) * Self.millisecond)
            if stale == nil, self.chance(60) {
                self.at(self.now + self.random(0...7_000) * Self.millisecond) { _ = effect() }
            }
        case 20...29:
            fail(.unavailable, after: self.random(1...100) * Self.millisecond)
        default:
            let longest: Int64 = luck < 60 ? 950 : 4
            let (there, back) = (self.random(0...longest), self.random(0...longest))
            self.at(self.now + there * Self.millisecond) {
                let result = effect()
                self.at(self.now + back * Self.millisecond) { answer(.success(result)) }
            }
        }
    }

    func apply(_ write: RouteWrite) -> RouteWriteOutcome {
        guard (self.documents[write.new.key]?.version ?? 0) == write.expectedVersion else { return .conflict }
        let old = self.documents.updateValue(write.new, forKey: write.new.key)
        self.check(old, write.new)
        self.checkLinks()
        return .committed
    }

    func emit(_ transition: RouteTransition, key: RouteKey, node: NodeID) {
        let earlier = self.emissions[key, default: []].filter { $0.transition.sequence == transition.sequence }
        // LC-3: a handler runs again only after its owner was claimed, on another node.
        let isExcused = earlier.allSatisfy { $0.node != node && (self.records[$0.node]?.state ?? .gone) >= .claimed }
        let emission = Emission(time: self.now, node: node, isRepeatExcused: isExcused, transition: transition)
        self.emissions[key, default: []].append(emission)
        self.check(emission, of: key)
        self.trace(
            "\(Self.name(node)) emits \(key.user) \(transition.kind) \(transition.client ?? "") "
                + "seq \(transition.sequence & 0xFFFFF)")
    }

    static func name(_ node: NodeID) -> String { "node \(node.text)" }
}
