import Wire

/// Opens or reuses a Link, step by step (SPEC LK-4, LK-5). Every step may be the last one of its node: what is left is finished
/// by a repeated request or closed by the sweeper, and no other step is taken on trust.
///
/// `begin()` → read both routes → read the record → write it as `opening` → note it in both routes → tell everybody → write it
/// as `open`. What is `opening` and noted may be used: so a crash leaves no open Link of which nobody was told
/// (docs/adr/0021-links.md). Who finds that something else was written meanwhile begins anew. Each action is answered by the
/// event of its name.
package struct LinkOpening: Sendable {
    /// What the hook has allowed.
    package struct Request: Sendable, Equatable {
        package var domain: String
        package var requester: LinkParty
        package var target: LinkParty
        /// JSON: what the target's side is to know the requester by.
        package var info: String
        /// JSON: what the requester's side is to know the target by.
        package var query: String

        package init(domain: String, requester: LinkParty, target: LinkParty, info: String, query: String) {
            self.domain = domain
            self.requester = requester
            self.target = target
            self.info = info
            self.query = query
        }

        /// Within a party every connection is on the requester's side.
        var sides: [LinkRecord.Side] {
            let isWithin = self.requester == self.target
            return [
                LinkRecord.Side(party: self.requester, label: isWithin ? self.query : self.info),
                LinkRecord.Side(party: self.target, label: self.query),
            ].sorted { $0.party < $1.party }
        }

        package var requesterKey: RouteKey { RouteKey(domain: self.domain, user: self.requester.user) }
        package var targetKey: RouteKey { RouteKey(domain: self.domain, user: self.target.user) }
    }

    package enum Refusal: Error, Sendable {
        /// A party has no connection.
        case offline
        /// A party has as many Links as it may have.
        case full
        /// Others would not let this one through.
        case busy
    }

    package enum Action: Sendable, Equatable {
        /// → ``routesRead(requester:target:)``
        case readRoutes
        /// → ``recordRead(_:)``
        /// - Parameter isLatest: whether an older state is of no use.
        case readRecord(isLatest: Bool)
        /// → ``written(_:)``
        case write(LinkWrite)
        /// → ``linked(_:)``
        case link(RouteKey, LinkHint)
        /// → ``unlinked()``, whatever became of it: a hint that stays is removed when it is met.
        case unlink([RouteKey], LinkKey, through: Int64)
        /// Open for all purposes: the request is to be answered, and both parties told. Or withdrawn: they are told of that.
        /// → ``told()``
        case tell(LinkRecord)
        case finish(Result<LinkRecord, Refusal>)
    }

    package enum Linked: Sendable, Equatable { case live, absent, full }

    /// Attempts that others may frustrate.
    private static let attempts = 16

    private enum State: Equatable {
        case idle
        case routes
        case record
        case opening(LinkRecord)
        case noting(LinkRecord, left: [RouteKey], hints: [LinkHint])
        case labelling(LinkRecord)
        case telling(LinkRecord)
        case confirming(LinkRecord)
        case reading(LinkRecord)
        case lookingBack(Refusal)
        case withdrawing(LinkRecord, Refusal)
        case clearing(Refusal, withdrawn: LinkRecord?)
        case retracting(Refusal)
        case done
    }

    package let key: LinkKey
    package let request: Request
    private let now: @Sendable () -> Int64
    private let newToken: @Sendable (LinkKey) -> LinkToken
    private var state = State.idle
    private var attempt = 0
    /// The newest generation that was noted in a route.
    private var noted: Int64?

    /// - Parameters:
    ///   - now: the primary's clock, in milliseconds.
    ///   - newToken: a random one; the simulation has its own.
    package init(
        key: LinkKey, request: Request, now: @escaping @Sendable () -> Int64,
        newToken: @escaping @Sendable (LinkKey) -> LinkToken = { .random(for: $0) }
    ) {
        self.key = key
        self.request = request
        self.now = now
        self.newToken = newToken
    }

    package mutating func begin() -> Action {
        self.attempt += 1
        guard self.attempt <= Self.attempts else { return self.refuse(.busy) }
        self.state = .routes
        return .readRoutes
    }

    /// - Parameters: whether the parties have a connection on a node that is not claimed.
    package mutating func routesRead(requester: Bool, target: Bool) -> Action {
        guard case .routes = self.state else { preconditionFailure("routes were not asked for") }
        guard requester, target else { return self.refuse(.offline) }
        self.state = .record
        return .readRecord(isLatest: false)
    }

    package mutating func recordRead(_ record: LinkRecord?) -> Action {
        switch self.state {
        case .record: break
        case .lookingBack(let refusal): return self.lookedBack(record, refusal)
        case .reading(let told):
            // Somebody else has finished it, or closed it.
            guard let record, record.token == told.token, record.state == .opening else { return self.finish(told) }
            return self.confirm(record)
        case .idle, .routes, .opening, .noting, .labelling, .telling, .confirming, .withdrawing, .clearing, .retracting,
            .done:
            preconditionFailure("the record was not asked for")
        }
        switch record?.state {
        case .open?, .opening?:
            guard let record else { preconditionFailure("a state is that of a record") }
            // Its token and generation stay, whoever made it.
            return self.note(record)
        case .closed?, nil:
            let now = self.now()
            let new = LinkRecord(
                domain: self.request.domain, sides: self.request.sides, state: .opening, token: self.newToken(self.key),
                generation: record.map { $0.generation + 1 } ?? now / 1_000, changed: now)
            self.state = .opening(new)
            return .write(LinkWrite(expected: record.map { .init($0) }, new: new))
        }
    }

    /// - Parameter isCommitted: false: somebody else wrote first, or nobody knows.
    package mutating func written(_ isCommitted: Bool) -> Action {
        switch self.state {
        case .opening(let record): return isCommitted ? self.note(record) : self.begin()
        case .labelling(let record): return isCommitted ? self.tell(record) : self.begin()
        case .confirming(let record):
            if isCommitted { return self.finish(record) }
            self.attempt += 1
            // The sweeper would close it: then everybody is told.
            guard self.attempt <= Self.attempts else { return self.finish(record) }
            self.state = .reading(record)
            return .readRecord(isLatest: false)
        case .withdrawing(let record, let refusal):
            guard isCommitted else { return self.refuse(refusal) }
            return self.clear(record.generation, refusal, withdrawn: record)
        case .idle, .routes, .record, .noting, .telling, .reading, .lookingBack, .clearing, .retracting, .done:
            preconditionFailure("nothing was written")
        }
    }

    package mutating func linked(_ outcome: Linked) -> Action {
        guard case .noting(let record, let left, let hints) = self.state else {
            preconditionFailure("nothing was noted")
        }
        switch outcome {
        case .live:
            self.noted = max(self.noted ?? .min, record.generation)
            guard let next = left.first, let hint = hints.first else { return self.label(record) }
            self.state = .noting(record, left: Array(left.dropFirst()), hints: Array(hints.dropFirst()))
            return .link(next, hint)
        case .absent: return self.refuse(.offline)
        case .full: return self.refuse(.full)
        }
    }

    package mutating func unlinked() -> Action {
        guard case .clearing(let refusal, let withdrawn) = self.state else {
            preconditionFailure("nothing was removed")
        }
        guard let withdrawn else { return self.finish(refusal) }
        self.state = .retracting(refusal)
        return .tell(withdrawn)
    }

    package mutating func told() -> Action {
        switch self.state {
        case .telling(let record): return record.state == .open ? self.finish(record) : self.confirm(record)
        case .retracting(let refusal): return self.finish(refusal)
        case .idle, .routes, .record, .opening, .noting, .labelling, .confirming, .reading, .lookingBack, .withdrawing,
            .clearing, .done:
            preconditionFailure("nobody was told")
        }
    }

    // MARK: Steps

    private mutating func note(_ record: LinkRecord) -> Action {
        let hints = record.hints
        self.state = .noting(
            record, left: hints.dropFirst().map(\.key), hints: hints.dropFirst().map(\.hint))
        return .link(hints[0].key, hints[0].hint)
    }

    private mutating func label(_ record: LinkRecord) -> Action {
        let sides = self.request.sides
        // Also the proof that what is open still is.
        guard record.state == .open || record.sides != sides else { return self.tell(record) }
        var new = record
        new.sides = sides
        new.changed = self.now()
        self.state = .labelling(new)
        return .write(LinkWrite(expected: .init(record), new: new))
    }

    private mutating func tell(_ record: LinkRecord) -> Action {
        self.state = .telling(record)
        return .tell(record)
    }

    private mutating func finish(_ record: LinkRecord) -> Action {
        self.state = .done
        return .finish(.success(record))
    }

    private mutating func finish(_ refusal: Refusal) -> Action {
        self.state = .done
        return .finish(.failure(refusal))
    }

    private mutating func confirm(_ record: LinkRecord) -> Action {
        var new = record
        new.state = .open
        new.changed = self.now()
        self.state = .confirming(new)
        return .write(LinkWrite(expected: .init(record), new: new))
    }

    /// Nothing comes of it. What this has begun is taken back, unless somebody else goes on with it.
    private mutating func refuse(_ refusal: Refusal) -> Action {
        if self.attempt == 1, self.state == .routes { return self.finish(refusal) }
        self.attempt += 1
        // Beyond that the sweeper finds what is left.
        guard self.attempt <= 2 * Self.attempts else { return self.finish(refusal) }
        self.state = .lookingBack(refusal)
        // Hints are only taken back of what is certainly closed.
        return .readRecord(isLatest: true)
    }

    private mutating func lookedBack(_ record: LinkRecord?, _ refusal: Refusal) -> Action {
        guard let record, record.state != .closed else {
            guard let noted = self.noted else { return self.finish(refusal) }
            return self.clear(max(noted, record?.generation ?? noted), refusal, withdrawn: nil)
        }
        // It is open: whoever left sees the hint, and closes it in its time.
        guard record.state == .opening else { return self.finish(refusal) }
        var new = record
        new.state = .closed
        new.reason = .offline
        new.changed = self.now()
        self.state = .withdrawing(new, refusal)
        return .write(LinkWrite(expected: .init(record), new: new))
    }

    private mutating func clear(_ generation: Int64, _ refusal: Refusal, withdrawn: LinkRecord?) -> Action {
        self.state = .clearing(refusal, withdrawn: withdrawn)
        let keys = Set([self.request.requesterKey, self.request.targetKey]).sorted()
        return .unlink(keys, self.key, through: generation)
    }
}
