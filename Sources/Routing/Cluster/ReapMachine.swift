/// Decides how the remains of dead nodes are removed (SPEC ND-4): scan → removals → tombstone → later scans; the claim
/// is kept alive until the tombstone stands.
package struct ReapMachine: Sendable {
    package enum Action: Sendable, Equatable {
        case renewClaim(NodeID, claimBeat: Int64)
        case scan(NodeID)
        /// Commit `reap(node)` for each key.
        case remove(NodeID, [RouteKey])
        case tombstone(NodeID)
    }

    private enum Phase: Equatable {
        /// The next scan or tombstone is due at this time.
        case scanAt(Int64)
        case tombstoneAt(Int64)
        case scanning
        case removing(isPageFull: Bool)
        case tombstoning
    }

    private struct Job {
        var phase: Phase
        /// nil once the tombstone stands.
        var claim: Claim?
        /// Times of the scans that are still to come.
        var rescans: [Int64] = []
    }

    private struct Claim {
        var beat: Int64
        var nextRenewal: Int64
        var isRenewing = false
    }

    private let options: ReapOptions
    private var jobs: [NodeID: Job] = [:]

    package init(options: ReapOptions = ReapOptions()) { self.options = options }

    /// Nodes whose remains are being removed or watched.
    package var nodes: Set<NodeID> { Set(self.jobs.keys) }

    /// - Parameter claim: beat of the claim to keep alive; nil when the tombstone stands. A node that is
    ///   being reaped already goes on as it is.
    package mutating func add(_ id: NodeID, claim: Int64?, at now: Int64) {
        if let job = self.jobs[id] {
            // Taken over by another node and won back, before this one noticed.
            if let claim, let old = job.claim { self.jobs[id]?.claim?.beat = max(claim, old.beat) }
            return
        }
        var job = Job(phase: .scanAt(now))
        if let claim {
            job.claim = Claim(beat: claim, nextRenewal: now + self.options.claimRenewal)
        } else {
            job.rescans = self.options.rescans.map { now + $0 }
        }
        self.jobs[id] = job
    }

    package var nextDue: Int64? {
        self.jobs.values.lazy.compactMap { job -> Int64? in
            var times: [Int64] = []
            switch job.phase {
            case .scanAt(let time), .tombstoneAt(let time): times.append(time)
            case .scanning, .removing, .tombstoning: break
            }
            if let claim = job.claim, !claim.isRenewing { times.append(claim.nextRenewal) }
            return times.min()
        }.min()
    }

    package mutating func due(at now: Int64) -> [Action] {
        var actions: [Action] = []
        for id in self.jobs.keys.sorted() {
            guard var job = self.jobs[id] else { continue }
            if var claim = job.claim, !claim.isRenewing, claim.nextRenewal <= now {
                claim.beat += 1
                claim.isRenewing = true
                claim.nextRenewal = now + self.options.claimRenewal
                job.claim = claim
                actions.append(.renewClaim(id, claimBeat: claim.beat))
            }
            switch job.phase {
            case .scanAt(let time) where time <= now:
                job.phase = .scanning
                actions.append(.scan(id))
            case .tombstoneAt(let time) where time <= now:
                job.phase = .tombstoning
                actions.append(.tombstone(id))
            case .scanAt, .tombstoneAt, .scanning, .removing, .tombstoning: break
            }
            self.jobs[id] = job
        }
        return actions
    }

    /// - Parameter isHeld: false when another node took the claim over; nil when the renewal failed.
    package mutating func claimRenewed(_ id: NodeID, isHeld: Bool?) {
        if isHeld == false, self.jobs[id]?.claim != nil {
            self.jobs[id] = nil
        } else {
            self.jobs[id]?.claim?.isRenewing = false
        }
    }

    /// - Parameter keys: nil when the scan failed.
    package mutating func scanned(_ id: NodeID, keys: [RouteKey]?, at now: Int64) -> Action? {
        guard self.jobs[id]?.phase == .scanning else { return nil }
        guard let keys else {
            self.jobs[id]?.phase = .scanAt(now + self.options.pause)
            return nil
        }
        guard keys.isEmpty else {
            self.jobs[id]?.phase = .removing(isPageFull: keys.count >= self.options.page)
            return .remove(id, keys)
        }
        self.passed(id, at: now)
        return nil
    }

    /// - Parameter isDone: false when some removal was not committed.
    package mutating func removed(_ id: NodeID, isDone: Bool, at now: Int64) {
        guard case .removing(let isPageFull) = self.jobs[id]?.phase else { return }
        if !isDone {
            self.jobs[id]?.phase = .scanAt(now + self.options.pause)
        } else if isPageFull {
            self.jobs[id]?.phase = .scanAt(now)
        } else {
            self.passed(id, at: now)
        }
    }

    package mutating func tombstoned(_ id: NodeID, isDone: Bool, at now: Int64) {
        guard self.jobs[id]?.phase == .tombstoning else { return }
        guard isDone else {
            self.jobs[id]?.phase = .tombstoneAt(now + self.options.pause)
            return
        }
        self.jobs[id]?.claim = nil
        self.jobs[id]?.rescans = self.options.rescans.map { now + $0 }
        self.rest(id)
    }

    /// A whole pass found everything removed.
    private mutating func passed(_ id: NodeID, at now: Int64) {
        if self.jobs[id]?.claim != nil {
            self.jobs[id]?.phase = .tombstoneAt(now)
        } else {
            self.rest(id)
        }
    }

    private mutating func rest(_ id: NodeID) {
        guard let next = self.jobs[id]?.rescans.first else {
            self.jobs[id] = nil
            return
        }
        self.jobs[id]?.rescans.removeFirst()
        self.jobs[id]?.phase = .scanAt(next)
    }
}
