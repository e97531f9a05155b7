/// The lease of one incarnation (SPEC ND-2, ND-3): when to renew, and what may still be done.
///
/// Times are nanoseconds of a clock that runs on through a suspension.
package struct LeaseMachine: Sendable {
    /// Why the incarnation is over.
    package enum End: Sendable, Equatable {
        /// The record was claimed, or it is gone.
        case claimed
        /// No renewal for `isolation`.
        case silent
        /// A newcomer of the same name took over: the process exits (ND-5).
        case superseded
    }

    package let options: LeaseOptions
    /// When the newest acknowledged renewal was *sent*; nil before the registration.
    package private(set) var confirmed: Int64?
    package private(set) var end: End?
    private var beat: Int64 = 0
    private var sent: Int64?
    private var isWaiting = false

    package init(options: LeaseOptions = LeaseOptions()) { self.options = options }

    /// The registration counts as the first renewal.
    package mutating func registered(sentAt: Int64) {
        precondition(self.confirmed == nil, "an incarnation registers once")
        self.confirmed = sentAt
        self.sent = sentAt
    }

    /// When the next renewal is to be sent; nil while one is under way, before the registration, or at the end.
    package var nextRenewal: Int64? { self.renewal(after: self.options.renewal) }

    /// When it may be sent if it has news for the others.
    package var earlyRenewal: Int64? { self.renewal(after: self.options.early) }

    private func renewal(after pause: Int64) -> Int64? {
        guard let sent, !self.isWaiting, self.end == nil else { return nil }
        return sent + pause
    }

    /// - Returns: the beat to write. Raised by every attempt, so that a late one can't be mistaken for a newer one.
    package mutating func renew(at now: Int64) -> Int64 {
        self.beat += 1
        self.sent = now
        self.isWaiting = true
        return self.beat
    }

    /// The renewal that is under way was answered, or failed (`nil`). An answer after `isolation` comes too late.
    package mutating func answered(_ standing: Renewal.Standing?, at now: Int64) {
        self.check(at: now)
        self.isWaiting = false
        switch standing {
        case .renewed:
            if let sent, self.end == nil { self.confirmed = max(self.confirmed ?? sent, sent) }
        case .lost: self.finish(.claimed)
        case .superseded: self.finish(.superseded)
        case nil: break
        }
    }

    /// The directory shows the own record as claimed or superseded.
    package mutating func met(_ state: NodeRecord.State) {
        switch state {
        case .claimed, .gone: self.finish(.claimed)
        case .superseded: self.finish(.superseded)
        case .up, .draining: break
        }
    }

    /// Makes a lapse final: a renewal that comes through later no longer helps (ND-3).
    package mutating func check(at now: Int64) {
        if self.standing(at: now).isIsolated, self.confirmed != nil { self.finish(.silent) }
    }

    package func standing(at now: Int64) -> LeaseStanding {
        Self.standing(age: self.confirmed.map { now - $0 }, end: self.end, options: self.options)
    }

    /// - Parameter age: since the newest renewal; nil without any.
    package static func standing(age: Int64?, end: End?, options: LeaseOptions) -> LeaseStanding {
        guard let age, age < options.isolation, end == nil || end == .superseded else { return .isolated }
        if age >= options.silence { return .silenced }
        if age >= options.fence { return .fenced }
        return end == .superseded ? .leaving : .held
    }

    private mutating func finish(_ end: End) {
        // A superseded incarnation may still find itself claimed; that ends its writing too.
        if self.end == nil || (self.end == .superseded && end == .claimed) { self.end = end }
    }
}
