import Wire

/// Opens or reuses a Link, step by step (SPEC LK-4, LK-5). Every step may be the last one of its node: what is left is finished
/// by a repeated request or closed by the sweeper, and no other step is taken on trust.
///
/// `begin()` → read both routes → read the record → write it as `opening` → note it in both routes → write it as `open`. Who
/// finds that something else was written meanwhile begins anew. Each action is answered by the event of its name.
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

    package enum Refusal: String, Error, Sendable {
        /// A party has no connection.
        case offline = "OFFLINE"
        /// A party has as many Links as it may have, or others would not let this one through.
        case busy = "BUSY"
    }

    package enum Action: Sendable, Equatable {
        /// → ``routesRead(requester:target:)``
        case readRoutes
        /// → ``recordRead(_:)``
        case readRecord
        /// → ``written(_:)``
        case write(LinkWrite)
        /// → ``linked(_:)``
        case link(RouteKey, LinkHint)
        /// → ``unlinked()``, whatever became of it: a hint that stays is removed when it is met.
        case unlink([RouteKey], LinkKey, through: Int64)
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
        case confirming(LinkRecord)
        case lookingBack(Refusal)
        case withdrawing(LinkRecord, Refusal)
        case clearing(Refusal)
        case done
    }

    package let key: LinkKey
    private let request: Request
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
        return .readRecord
    }

    package mutating func recordRead(_ record: LinkRecord?) -> Action {
        switch self.state {
        case .record: break
        case .lookingBack(let refusal): return self.lookedBack(record, refusal)
        case .idle, .routes, .opening, .noting, .confirming, .withdrawing, .clearing, .done:
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
        case .confirming(let record):
            guard isCommitted else { return self.begin() }
            self.state = .done
            return .finish(.success(record))
        case .withdrawing(let record, let refusal):
            guard isCommitted else { return self.refuse(refusal) }
            return self.clear(record.generation, refusal)
        case .idle, .routes, .record, .noting, .lookingBack, .clearing, .done:
            preconditionFailure("nothing was written")
        }
    }

    package mutating func linked(_ outcome: Linked) -> Action {
        guard case .noting(let record, let left, let hints) = self.state else { preconditionFailure("nothing was noted") }
        switch outcome {
        case .live:
            self.noted = max(self.noted ?? .min, record.generation)
            guard let next = left.first, let hint = hints.first else { return self.confirm(record) }
            self.state = .noting(record, left: Array(left.dropFirst()), hints: Array(hints.dropFirst()))
            return .link(next, hint)
        case .absent: return self.refuse(.offline)
        case .full: return self.refuse(.busy)
        }
    }

    package mutating func unlinked() -> Action {
        guard case .clearing(let refusal) = self.state else { preconditionFailure("nothing was removed") }
        self.state = .done
        return .finish(.failure(refusal))
    }

    // MARK: Steps

    private mutating func note(_ record: LinkRecord) -> Action {
        let hints = record.hints
        self.state = .noting(
            record, left: hints.dropFirst().map(\.key), hints: hints.dropFirst().map(\.hint))
        return .link(hints[0].key, hints[0].hint)
    }

    private mutating func confirm(_ record: LinkRecord) -> Action {
        var new = record
        new.sides = self.request.sides
        new.state = .open
        new.changed = self.now()
        self.state = .confirming(new)
        return .write(LinkWrite(expected: .init(record), new: new))
    }

    /// Nothing comes of it. What this has begun is taken back, unless somebody else goes on with it.
    private mutating func refuse(_ refusal: Refusal) -> Action {
        if self.attempt == 1, self.state == .routes {
            self.state = .done
            return .finish(.failure(refusal))
        }
        self.attempt += 1
        guard self.attempt <= 2 * Self.attempts else {
            // The sweeper finds what is left.
            self.state = .done
            return .finish(.failure(refusal))
        }
        self.state = .lookingBack(refusal)
        return .readRecord
    }

    private mutating func lookedBack(_ record: LinkRecord?, _ refusal: Refusal) -> Action {
        guard let record, record.state != .closed else {
            guard let noted = self.noted else {
                self.state = .done
                return .finish(.failure(refusal))
            }
            return self.clear(max(noted, record?.generation ?? noted), refusal)
        }
        guard record.state == .opening else {
            // It is open: whoever left sees the hint, and closes it in its time.
            self.state = .done
            return .finish(.failure(refusal))
        }
        var new = record
        new.state = .closed
        new.reason = .offline
        new.changed = self.now()
        self.state = .withdrawing(new, refusal)
        return .write(LinkWrite(expected: .init(record), new: new))
    }

    private mutating func clear(_ generation: Int64, _ refusal: Refusal) -> Action {
        self.state = .clearing(refusal)
        let keys = Set([self.request.requesterKey, self.request.targetKey]).sorted()
        return .unlink(keys, self.key, through: generation)
    }
}
