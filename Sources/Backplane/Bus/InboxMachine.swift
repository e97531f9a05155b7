package import NIOCore
package import Routing
package import Wire

/// Decides what becomes of the envelopes that a node's tails deliver (SPEC ND-8 to ND-11): merges its homes, drops
/// repeats, restores the order per sender, notices holes. Owns no tail, no thread and no clock.
package struct InboxMachine: Sendable {
    /// Which messages of a batch to apply.
    package enum Scope: Sendable, Equatable {
        case all
        /// Older than 60 s: perishable ones are dropped.
        case lasting
        /// Filled a hole that was given up: only `kick`, `invalidate`, `link` and `config`.
        case late

        package func admits(_ kind: BusMessage.Kind) -> Bool {
            switch self {
            case .all: true
            case .lasting: !kind.isPerishable
            case .late:
                switch kind {
                case .kick, .invalidate, .link, .config: true
                case .event, .peer, .roster, .room, .ack, .probe: false
                }
            }
        }
    }

    package enum Refusal: String, Sendable, CaseIterable {
        case duplicate
        /// For another incarnation (a slot may be shared).
        case foreign
        /// `s` or `from` cannot be.
        case malformed
    }

    package enum Action: Sendable, Equatable {
        case deliver(from: NodeID, batch: ByteBuffer, scope: Scope)
        /// These never came. A gap if the sender lives (ND-9); of a claimed one only counted.
        case hole(from: NodeID, missing: ClosedRange<Int64>)
        case probed(home: Int, latency: TimeAmount)
        case drop(Refusal)
    }

    private struct Held: Sendable {
        var batch: ByteBuffer
        var seconds: Int64
        var home: Int
        /// Bytes, with about what an entry costs beside them.
        var size: Int { self.batch.readableBytes + 128 }
    }

    private let me: NodeID
    private let meText: String
    private let limits: InboxLimits
    private var ledgers: [NodeID: SenderLedger<Held>] = [:]
    private var earlyBytes = 0
    /// Senders with something behind a hole, and when it is given up.
    private var holes: [NodeID: NIODeadline] = [:]
    private var probes: [ProbeClock]

    package init(node: NodeID, homes: Int, limits: InboxLimits, now: NIODeadline) {
        self.me = node
        self.meText = node.text
        self.limits = limits
        self.probes = (0..<homes).map { _ in ProbeClock(limits: limits, now: now) }
    }

    /// One envelope from the tail of a home.
    package mutating func receive(_ envelope: Envelope, home: Int, now: NIODeadline) -> [Action] {
        guard envelope.to == self.meText else { return [.drop(.foreign)] }
        guard envelope.sequence > 0, let sender = NodeID(envelope.from) else { return [.drop(.malformed)] }
        if sender == self.me {
            let taken = self.probes[home].receive(envelope.sequence, seconds: envelope.seconds, at: now)
            return [taken.map { .probed(home: home, latency: $0) } ?? .drop(.duplicate)]
        }
        self.probes[home].sawActivity(at: now)
        let held = Held(batch: envelope.batch, seconds: envelope.seconds, home: home)
        let size = held.size
        switch self.ledgers[sender, default: SenderLedger(now: now)].arrive(
            envelope.sequence, item: held, size: size, now: now)
        {
        case .duplicate:
            return [.drop(.duplicate)]
        case .late:
            return [.deliver(from: sender, batch: held.batch, scope: .late)]
        case .next:
            var actions = [self.deliver(held, from: sender, now: now)]
            self.drain(sender, into: &actions, now: now)
            return actions
        case .early:
            self.earlyBytes += size
            if self.holes[sender] == nil { self.holes[sender] = now + self.limits.holeTime }
            var actions: [Action] = []
            while self.earlyBytes > self.limits.earlyBytes, let oldest = self.holes.min(by: { $0.value < $1.value }) {
                self.giveUp(oldest.key, into: &actions, now: now)
            }
            return actions
        }
    }

    /// Everything of the sender up to here was delivered or given up.
    package func readMark(of sender: NodeID) -> Int64 { self.ledgers[sender]?.highest ?? 0 }

    /// Gives up holes whose time has passed. While a home is behind (``ProbeClock/isBehind(at:)``), what is missing may lie
    /// there: then it waits longer, and looks again after a second (ADR 0025).
    package mutating func expire(at now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        let isBehind = self.probes.contains { $0.isBehind(at: now) }
        for sender in self.holes.filter({ $0.value <= now }).keys.sorted() {
            while let deadline = self.holes[sender], deadline <= now {
                if isBehind, let since = self.ledgers[sender]?.waitingSince,
                    now < since + self.limits.behindHoleTime
                {
                    self.holes[sender] = min(now + .seconds(1), since + self.limits.behindHoleTime)
                } else {
                    self.giveUp(sender, into: &actions, now: now)
                }
            }
        }
        return actions
    }

    /// Probes that are due, by home.
    package mutating func dueProbes(at now: NIODeadline) -> [(home: Int, sequence: Int64)] {
        self.probes.indices.compactMap { home in self.probes[home].send(at: now).map { (home, $0) } }
    }

    /// Homes whose tail has to be opened again, as nothing came through it (ND-10).
    package mutating func silentHomes(at now: NIODeadline) -> [Int] {
        self.probes.indices.filter { self.probes[$0].isSilent(at: now) }
    }

    /// When ``expire(at:)`` or ``dueProbes(at:)`` have something to do next.
    package var nextDeadline: NIODeadline {
        let probe = self.probes.lazy.map(\.nextDue).min() ?? .distantFuture
        return min(probe, self.holes.values.min() ?? .distantFuture)
    }

    /// Probe state per home, for health.
    package var homes: [ProbeClock] { self.probes }

    /// Senders that were silent for an hour; forget those that the directory does not know.
    package func silentSenders(at now: NIODeadline) -> [NodeID] {
        self.ledgers.filter { now - $0.value.lastArrival >= self.limits.forgetAfter }.map(\.key)
    }

    package mutating func forget(_ sender: NodeID) {
        guard let ledger = self.ledgers.removeValue(forKey: sender) else { return }
        self.earlyBytes -= ledger.earlyBytes
        self.holes[sender] = nil
    }

    private mutating func giveUp(_ sender: NodeID, into actions: inout [Action], now: NIODeadline) {
        guard let hole = self.ledgers[sender]?.giveUp(remembering: self.limits.rememberedHoles) else {
            preconditionFailure("a sender is in `holes` only while something is behind one")
        }
        actions.append(.hole(from: sender, missing: hole))
        self.drain(sender, into: &actions, now: now)
    }

    /// Delivers what is contiguous now, and notes when the next hole, if any, is given up.
    private mutating func drain(_ sender: NodeID, into actions: inout [Action], now: NIODeadline) {
        guard self.holes[sender] != nil else { return }
        while let held = self.ledgers[sender]?.popReady() {
            self.earlyBytes -= held.size
            actions.append(self.deliver(held, from: sender, now: now))
        }
        self.holes[sender] = self.ledgers[sender]?.waitingSince.map { $0 + self.limits.holeTime }
    }

    private func deliver(_ held: Held, from sender: NodeID, now: NIODeadline) -> Action {
        let reference = self.probes[held.home].serverSeconds(at: now)
        let isOld = reference.map { .seconds($0 - held.seconds) > self.limits.perishableAge } ?? false
        return .deliver(from: sender, batch: held.batch, scope: isOld ? .lasting : .all)
    }
}
