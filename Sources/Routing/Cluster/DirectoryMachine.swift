/// Watches the other nodes (SPEC ND-2, ND-4, ND-5): who is known, whose beat stands still, whom to suspect and to claim.
///
/// Times are nanoseconds of the local clock; no clock of another machine enters. What is learned never goes back: a
/// deposed primary may show an older beat or state, and that is ignored.
package struct DirectoryMachine: Sendable {
    package enum Event: Sendable, Equatable {
        /// The node is claimed or gone, as seen for the first time.
        case nodeClaimed(NodeID)
        /// This node has to remove what the dead node left. May be repeated.
        /// - Parameter claim: the claim to keep alive meanwhile; nil when the tombstone stands already.
        case reap(NodeID, claim: Int64?)
        /// The own record, as others left it.
        case selfSeen(NodeRecord.State)
    }

    package enum Action: Sendable, Equatable {
        case suspect(NodeID, beat: Int64)
        case claim(NodeID, expecting: NodeRecord)
    }

    private struct Peer {
        /// Since when the sign of life (beat, or claim beat) is the same.
        var since: Int64
        var nextSuspicion: Int64 = 0
        /// When the suspicion or claim that is under way was sent.
        var pending: Int64?
        /// Sent time of the first suspicion of an unbroken run of good ones.
        var witnessSince: Int64?
        /// Answer time of the newest good one.
        var witnessed: Int64 = 0
    }

    package private(set) var snapshot = DirectorySnapshot()
    private let node: NodeID
    private let name: String?
    private let options: DirectoryOptions
    private var peers: [NodeID: Peer] = [:]
    /// Dead nodes whose remains were given to the reaper, with whether their tombstone stood.
    private var reaping: [NodeID: Bool] = [:]

    package init(node: NodeID, name: String?, options: DirectoryOptions = DirectoryOptions()) {
        self.node = node
        self.name = name
        self.options = options
    }

    // MARK: Readings

    /// - Parameter now: when the answer came: what it shows was written before.
    package mutating func read(_ reading: DirectoryReading, at now: Int64) -> [Event] {
        var events: [Event] = []
        for record in reading.records { self.merge(record, at: now, &events) }
        if reading.isComplete {
            let seen = Set(reading.records.map(\.id))
            for id in self.snapshot.records.keys where !seen.contains(id) {
                self.snapshot.remove(id)
                self.peers[id] = nil
                self.reaping[id] = nil
            }
        }
        self.adoptTombstones(&events)
        return events
    }

    /// One record that was read by itself (ND-2).
    package mutating func found(_ record: NodeRecord, at now: Int64) -> [Event] {
        var events: [Event] = []
        self.merge(record, at: now, &events)
        return events
    }

    private mutating func merge(_ record: NodeRecord, at now: Int64, _ events: inout [Event]) {
        let old = self.snapshot.records[record.id]
        if let old {
            guard record.state >= old.state, record.beat >= old.beat, record.claimBeat >= old.claimBeat else { return }
        }
        self.snapshot.put(record)
        if record.id == self.node {
            if record.state > .draining { events.append(.selfSeen(record.state)) }
            return
        }
        if record.state >= .claimed, (old?.state ?? .up) < .claimed { events.append(.nodeClaimed(record.id)) }
        let isMoving =
            old.map {
                $0.beat != record.beat || $0.claimBeat != record.claimBeat || $0.claimedBy != record.claimedBy
            } ?? true
        if record.state == .gone {
            self.peers[record.id] = nil
        } else if isMoving {
            let pending = self.peers[record.id]?.pending
            self.peers[record.id] = Peer(since: now, pending: pending)
        }
        if record.state == .claimed, record.claimedBy == self.node {
            if self.reaping.updateValue(false, forKey: record.id) == nil {
                events.append(.reap(record.id, claim: record.claimBeat))
            }
        } else if record.state == .claimed {
            self.reaping[record.id] = nil
        }
    }

    /// Tombstones are scanned again later (ND-4), by another node if the one that reaped has died since.
    private mutating func adoptTombstones(_ events: inout [Event]) {
        for id in self.snapshot.claimed.sorted() {
            guard let record = self.snapshot.records[id], record.state == .gone, id != self.node,
                self.reaping[id] == nil, self.isResponsible(for: record)
            else { continue }
            self.reaping[id] = true
            events.append(.reap(id, claim: nil))
        }
    }

    private func isResponsible(for record: NodeRecord) -> Bool {
        // ND-5: a superseded node went without a reaper; the newcomer of its name looks after it.
        guard var reaper = record.claimedBy else { return record.name != nil && record.name == self.name }
        var steps = 0
        while reaper != self.node {
            guard let next = self.snapshot.records[reaper], steps < self.snapshot.records.count else {
                // Nobody knows any more who came next: the least of those alive.
                return self.snapshot.records.values.lazy.filter { $0.state < .claimed }.map(\.id).min() == self.node
            }
            guard next.state >= .claimed else { return false }
            guard let heir = next.claimedBy else {
                return self.snapshot.records.values.lazy.filter { $0.state < .claimed }.map(\.id).min() == self.node
            }
            reaper = heir
            steps += 1
        }
        return true
    }

    // MARK: Suspicion

    /// - Parameter limit: actions at once; the rest follows with the next call.
    package mutating func due(at now: Int64, limit: Int = 32) -> [Action] {
        var actions: [Action] = []
        for id in self.peers.keys.sorted() {
            guard actions.count < limit, var peer = self.peers[id], let record = self.snapshot.records[id] else {
                continue
            }
            if peer.pending != nil || (record.state == .claimed && record.claimedBy == self.node) { continue }
            let age = now - peer.since
            if age >= self.options.claimAfter, self.hasWitnessed(peer, at: now) {
                peer.pending = now
                actions.append(.claim(id, expecting: record))
            } else if age >= self.options.suspectAfter, now >= peer.nextSuspicion {
                peer.pending = now
                peer.nextSuspicion = now + self.options.suspicion
                actions.append(.suspect(id, beat: record.beat))
            }
            self.peers[id] = peer
        }
        return actions
    }

    private func hasWitnessed(_ peer: Peer, at now: Int64) -> Bool {
        guard let since = peer.witnessSince else { return false }
        return now - since >= self.options.witness
            && now - peer.witnessed <= self.options.suspicion + self.options.slow
    }

    /// - Parameter isSame: nil when the suspicion failed or its outcome is unknown.
    package mutating func suspected(_ id: NodeID, isSame: Bool?, at now: Int64) {
        guard var peer = self.peers[id], let sent = peer.pending else { return }
        peer.pending = nil
        if isSame == false {
            // The beat has moved on, whatever the readings say.
            peer.since = now
            peer.witnessSince = nil
        } else if isSame == nil || now - sent > self.options.slow {
            peer.witnessSince = nil
        } else {
            // Sent too long after the last good one (this node was paused): nobody has witnessed the time between.
            let isUnbroken = sent - peer.witnessed <= self.options.suspicion + self.options.slow
            if !isUnbroken || peer.witnessSince == nil { peer.witnessSince = sent }
            peer.witnessed = now
        }
        self.peers[id] = peer
    }

    /// - Parameter isWon: nil when the outcome is unknown; the next reading tells.
    package mutating func claimed(_ id: NodeID, isWon: Bool?, expecting: NodeRecord, at now: Int64) -> [Event] {
        guard var peer = self.peers[id] else { return [] }
        peer.pending = nil
        peer.witnessSince = nil
        if isWon == false { peer.since = now }
        self.peers[id] = peer
        guard isWon == true else { return [] }
        var record = expecting
        record.state = .claimed
        record.claimedBy = self.node
        record.claimBeat = expecting.claimBeat + 1
        return self.found(record, at: now)
    }

    /// What the others can take of a node that leaves (ND-12).
    /// - Returns: connects a second, this node's share where several leave at once; nil if there is nobody else. Who shows
    ///   no sign of life for twice as long as makes it suspect takes nothing: it may be dead, or the database so slow that
    ///   nobody can take more than a few now.
    package func intake(at now: Int64) -> Double? {
        var sum = 0
        var leaving = 1
        var isAlone = true
        for (id, peer) in self.peers {
            guard let record = self.snapshot.records[id] else { continue }
            let isSilent = now - peer.since >= 2 * self.options.suspectAfter
            switch record.state {
            case .up:
                isAlone = false
                if !isSilent { sum += record.intake ?? NodeRecord.unknownIntake }
            case .draining: leaving += isSilent ? 0 : 1
            case .superseded, .claimed, .gone: break
            }
        }
        return isAlone ? nil : Double(sum) / Double(leaving)
    }

    /// Nodes of the own name that are not superseded yet, though this one has been there for `claimAfter`: of two that
    /// started at the same time the larger ID stays (ND-5).
    package func rivals(at now: Int64, registered: Int64) -> [NodeID] {
        guard let name, now - registered >= self.options.claimAfter else { return [] }
        return self.snapshot.records.values
            .filter { $0.name == name && $0.id < self.node && $0.state < .superseded }.map(\.id).sorted()
    }
}
