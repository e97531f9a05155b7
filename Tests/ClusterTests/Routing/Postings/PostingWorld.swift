import NIOCore
import Routing
import Wire

/// Nodes that serve one outbox, for one seed: they are killed and stopped, the store fails, answers too late or does what it
/// was asked long after it was given up, and sends are repeated. Time is simulated.
final class PostingWorld {
    struct Settings {
        /// How late a write may land that its caller has given up, in milliseconds.
        var latestLanding: Int64 = 1_800
        /// How long the bus may take, in milliseconds. It keeps the order of each sender, and none between them.
        var slowestBus: Int64 = 10
        var nodes = 4
        var users = 12
        var documents = 120
        /// Percent of the documents that are malformed.
        var malformed = 5
        /// Until then nodes are killed and stopped, and the store fails.
        var storm = Nanoseconds.seconds(90)
    }

    struct Document {
        let user: Int
        let isMalformed: Bool
        var number: PostingNumber?
        var end: PostingSettlement.Result?
    }

    /// One node: an incarnation of it at a time.
    final class Node {
        var id: NodeID
        var machine: PostingMachine
        /// Of the process, as connections are: what a node that is killed had is gone with it.
        var ledger: PostingLedger
        var renewed: Int64
        var beat: Int64
        var isClaimed = false
        var stoppedUntil: Int64 = 0
        var life = 0
        /// When the newest of its events arrives.
        var arrival: Int64 = 0

        init(_ id: NodeID, at now: Int64, _ ledger: PostingLedger) {
            self.id = id
            self.ledger = ledger
            self.machine = PostingMachine(own: id)
            (self.renewed, self.beat) = (now, now)
        }
    }

    /// Invariant for `@unchecked`: one thread runs all of a world.
    private final class Clock: @unchecked Sendable {
        var now = Nanoseconds.seconds(100)
    }

    let settings: Settings
    var random: SplitMix64
    var queue = RoutingEventQueue<() -> Void>()
    private let clock = Clock()
    var now: Int64 {
        get { self.clock.now }
        set { self.clock.now = newValue }
    }
    var nodes: [Node] = []
    /// Every incarnation that there was, and those that the others have found dead.
    var known: Set<NodeID> = []
    var dead: Set<NodeID> = []
    var lanes: [PostingLaneRecord] = []
    var documents: [Int: Document] = [:]
    /// What each user's connection was given, in order. It is on the last node, which is neither killed nor stopped.
    var given: [Int: [Int]] = [:]
    var kills = 0
    var repeats = 0
    var strays = 0
    var adopted = 0

    init(seed: UInt64, _ settings: Settings = Settings()) {
        self.settings = settings
        self.random = SplitMix64(seed: seed)
        for lane in 0..<PostingLaneRecord.count {
            let stream = RecoveryStream(sender: self.random.next(), kind: .identity)
            self.lanes.append(PostingLaneRecord(lane: lane, stream: stream))
        }
        for _ in 0..<settings.nodes { self.nodes.append(Node(self.newID(), at: self.now, self.newLedger())) }
        for index in self.nodes.indices {
            self.tick(index)
            self.renew(index)
        }
        let start = self.now
        for number in 0..<settings.documents {
            let time = start + Int64.random(in: 0..<settings.storm, using: &self.random)
            self.at(time) { self.insert(number, time) }
        }
    }

    // MARK: Time and chance

    func at(_ time: Int64, _ body: @escaping () -> Void) { self.queue.push(body, at: time) }

    func after(milliseconds range: ClosedRange<Int64>, _ body: @escaping () -> Void) {
        self.at(self.now + Nanoseconds.milliseconds(Int64.random(in: range, using: &self.random)), body)
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self.random) < percent }

    var isStormy: Bool { self.now < Nanoseconds.seconds(100) + self.settings.storm }

    private func newID() -> NodeID {
        let id = NodeID(high: self.random.next(), low: UInt32(truncatingIfNeeded: self.random.next()))
        self.known.insert(id)
        return id
    }

    private func newLedger() -> PostingLedger { PostingLedger { [clock] in clock.now } }

    private var nextID = 0

    /// Documents are named in the order of their insertion, as ObjectIds are.
    private func insert(_ number: Int, _ time: Int64) {
        self.documents[self.nextID] = Document(
            user: Int.random(in: 0..<self.settings.users, using: &self.random),
            isMalformed: self.chance(self.settings.malformed))
        self.nextID += 1
    }

    /// - Returns: whether everything was done in time.
    func run() -> Bool {
        let end = Nanoseconds.seconds(100) + self.settings.storm + Nanoseconds.seconds(200)
        var done: Int64?
        while let (time, body) = self.queue.pop(), time < end {
            self.now = time
            body()
            let isOver = self.documents.count == self.settings.documents && !self.isStormy
            guard isOver, self.documents.values.allSatisfy({ $0.end != nil }) else {
                done = nil
                continue
            }
            // What is under way still comes: what the bus is slow with, and what must not come twice.
            if self.now - (done ?? self.now) > Nanoseconds.seconds(60) { return true }
            done = done ?? self.now
        }
        return false
    }

    // MARK: Nodes

    private func mayWork(_ node: Node) -> Bool { self.now - node.renewed < Nanoseconds.seconds(7) }

    private func tick(_ index: Int) {
        let node = self.nodes[index]
        self.after(milliseconds: 10...60) { self.tick(index) }
        guard self.now >= node.stoppedUntil else { return }
        self.disturb(node, index)
        guard self.now >= node.stoppedUntil else { return }
        self.advance(node)
        // Others claim who has been silent for 10 s.
        for other in self.nodes where self.now - other.beat >= Nanoseconds.seconds(10) && self.mayWork(node) {
            other.isClaimed = true
            self.dead.insert(other.id)
        }
    }

    private func disturb(_ node: Node, _ index: Int) {
        guard self.isStormy, index < self.nodes.count - 1 else { return }
        switch Int.random(in: 0..<2_000, using: &self.random) {
        case 0..<4:
            self.kills += 1
            self.begin(node)
            node.stoppedUntil = self.now + Nanoseconds.milliseconds(Int64.random(in: 100...3_000, using: &self.random))
        case 4..<8:
            node.stoppedUntil = self.now + Nanoseconds.milliseconds(Int64.random(in: 500...25_000, using: &self.random))
        default: break
        }
    }

    /// A new incarnation; the old one is found dead by the others, in time.
    private func begin(_ node: Node) {
        let old = node.id
        if !self.dead.contains(old) {
            self.at(self.now + Nanoseconds.seconds(11)) { self.dead.insert(old) }
        }
        let counts = node.machine.takeCounts()
        self.count(counts)
        node.life += 1
        node.id = self.newID()
        node.machine = PostingMachine(own: node.id)
        node.ledger = self.newLedger()
        node.isClaimed = false
        (node.renewed, node.beat) = (self.now, self.now)
    }

    private func renew(_ index: Int) {
        let node = self.nodes[index]
        self.at(self.now + Nanoseconds.seconds(2)) { self.renew(index) }
        guard self.now >= node.stoppedUntil else { return }
        if node.isClaimed { return self.begin(node) }
        let (sent, life) = (self.now, node.life)
        // The last one has the connections, and keeps them.
        guard !self.isStormy || index == self.nodes.count - 1 || self.chance(90) else { return }
        self.after(milliseconds: 1...400) {
            guard node.life == life, !node.isClaimed else { return }
            node.beat = self.now
            self.whenRunning(node, life) { node.renewed = sent }
        }
    }

    /// Runs `body` for this incarnation once its process runs.
    func whenRunning(_ node: Node, _ life: Int, _ body: @escaping () -> Void) {
        guard node.life == life else { return }
        if self.now >= node.stoppedUntil { return body() }
        self.at(node.stoppedUntil) { self.whenRunning(node, life, body) }
    }

    func advance(_ node: Node) {
        // Between a decision and what comes of it a process may be stopped: what `perform` sends is under way then.
        for step in node.machine.next(at: self.now, mayWork: self.mayWork(node)) { self.perform(step, node) }
    }

    private func count(_ counts: PostingMachine.Counts) {
        self.repeats += counts.repeats
        self.strays += counts.strays
        self.adopted += counts.adopted
    }

    func finish() {
        for node in self.nodes { self.count(node.machine.takeCounts()) }
    }
}
