import Routing

@testable import Node

/// Renewers on several nodes, some of which die, answers that are lost, and a logout at any moment: the store's calls are
/// interleaved by a seed, one atomic write or read at a time (SPEC ID-9, ID-13).
struct RenewalSimulation {
    /// What one request is doing.
    private struct Renewer {
        var machine: RenewalMachine
        var step: RenewalMachine.Step
    }

    /// A logout, pass by pass; a pass meets one record after the other, and misses what comes behind its back.
    private struct Logout {
        var remaining: [[UInt8]]
        var changes = 0
        var isDone = false
    }

    static let day: Int64 = 86_400_000

    private(set) var records: [[UInt8]: SessionRecord] = [:]
    /// Every secret that a browser was told of, by its hash.
    private(set) var told: [[UInt8]: SessionSecret] = [:]
    /// Successors whose renewer died between inserting them and looking at the old record: nobody was ever told of them by it.
    private(set) var orphans: Set<[UInt8]> = []
    /// For each session the successors that renewers came to.
    private(set) var successors: [[UInt8]: Set<[UInt8]>] = [:]
    private(set) var outcomes: [String: Int] = [:]
    private var logout: Logout?
    private var random: SplitMix64
    private let keys: SigningKeys
    private let machine = SessionMachine(SessionOptions())
    private(set) var now: Int64 = NodeTestClock.start

    init(seed: UInt64, keys: SigningKeys) {
        self.random = SplitMix64(seed: seed)
        self.keys = keys
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &self.random) }
        guard let secret = SessionSecret("v1." + Base64URLText.encode(bytes)) else { preconditionFailure("32 bytes") }
        var record = SessionRecord(
            hash: secret.hash, domain: "example.org", user: "alice", client: "phone", now: self.now, isRemembered: true,
            expires: self.now + 365 * Self.day)
        record.chain = secret.hash
        self.records[record.hash] = record
        self.told[record.hash] = secret
    }

    var isLoggedOut: Bool { self.logout?.isDone == true }

    /// One generation: the token comes of age, and several requests with any token that a browser may hold arrive at once.
    mutating func run(renewers count: Int, logsOut: Bool) {
        self.now += Self.day
        var renewers: [Renewer] = []
        // In a sorted order: a seed means one history.
        let candidates = self.told.keys.sorted { $0.lexicographicallyPrecedes($1) }.compactMap { self.records[$0] }
            .filter { self.machine.state(of: $0, in: "example.org", at: self.now) == .active(isDue: true) }
        for _ in 0..<count where !candidates.isEmpty {
            let record = candidates[self.pick(candidates.count)]
            guard let secret = self.told[record.hash] else { continue }
            let nonce = (0..<32).map { _ in UInt8.random(in: 0...255, using: &self.random) }
            let machine = RenewalMachine(record, secret, keys: self.keys, machine: self.machine, now: self.now)
            renewers.append(Renewer(machine: machine, step: machine.start(nonce: nonce)))
        }
        var logoutIn = logsOut ? self.pick(count * 4 + 1) : -1
        while !renewers.isEmpty || (self.logout != nil && !self.isLoggedOut) || logoutIn >= 0 {
            if logoutIn == 0 || (renewers.isEmpty && logoutIn > 0) { self.logout = Logout(remaining: self.pass()) }
            logoutIn = renewers.isEmpty && logoutIn > 0 ? -1 : logoutIn - 1
            let others = self.logout.map { !$0.isDone } ?? false
            let choice = self.pick(renewers.count + (others ? 1 : 0))
            if choice == renewers.count {
                if others { self.advanceLogout() }
                continue
            }
            let isOver = self.advance(&renewers[choice])
            if isOver { renewers.remove(at: choice) }
        }
    }

    private mutating func pick(_ count: Int) -> Int { count > 0 ? Int.random(in: 0..<count, using: &self.random) : 0 }

    private mutating func pass() -> [[UInt8]] {
        self.records.keys.sorted { $0.lexicographicallyPrecedes($1) }.shuffled(using: &self.random)
    }

    private mutating func advanceLogout() {
        guard var logout = self.logout else { return }
        if let hash = logout.remaining.popLast() {
            if self.records[hash]?.isValid == true {
                self.records[hash]?.isValid = false
                logout.changes += 1
            }
        } else if logout.changes > 0 {
            logout = Logout(remaining: self.pass())
        } else {
            logout.isDone = true
        }
        self.logout = logout
    }

    /// - Returns: whether the request is over.
    private mutating func advance(_ renewer: inout Renewer) -> Bool {
        // Its process dies: what it asked for last may have happened.
        if self.pick(12) == 0 {
            if self.pick(2) == 0 { self.perform(&renewer) }
            self.note(orphanOf: renewer)
            return true
        }
        self.perform(&renewer)
        guard case .end(let outcome) = renewer.step else { return false }
        switch outcome {
        case .renewed(let record, let secret):
            self.outcomes["renewed", default: 0] += 1
            self.successors[record.predecessor ?? [], default: []].insert(record.hash)
            // The answer may be lost on its way.
            if self.pick(3) > 0 { self.told[record.hash] = secret }
        case .stale: self.outcomes["stale", default: 0] += 1
        case .revoked: self.outcomes["revoked", default: 0] += 1
        case .underivable: self.outcomes["underivable", default: 0] += 1
        }
        return true
    }

    private mutating func note(orphanOf renewer: Renewer) {
        switch renewer.step {
        case .confirm(let old):
            for record in self.records.values where record.predecessor == old { self.orphans.insert(record.hash) }
        case .invalidate(let successor): self.orphans.insert(successor)
        case .begin, .insert, .end: break
        }
    }

    private mutating func perform(_ renewer: inout Renewer) {
        switch renewer.step {
        case .begin(let hash, let proposal):
            if let record = self.records[hash], record.isValid, record.renewal == nil {
                self.records[hash]?.renewal = proposal
            }
            renewer.step = renewer.machine.began(self.records[hash])
        case .insert(let record):
            if self.records[record.hash] == nil { self.records[record.hash] = record }
            renewer.step = renewer.machine.inserted()
        case .confirm(let hash): renewer.step = renewer.machine.confirmed(self.records[hash])
        case .invalidate(let hash):
            self.records[hash]?.isValid = false
            renewer.step = .end(.revoked)
        case .end: break
        }
    }
}
