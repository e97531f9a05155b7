package import Wire

/// Closes a Link, step by step (SPEC LK-14): compare-and-set on the token, then the hints go; who carries it out then tells both
/// parties. What a crash leaves of it is finished when the hint's deadline comes again, or met by the next who joins.
package struct LinkClosing: Sendable {
    /// Which opening is meant.
    package enum Target: Sendable, Equatable {
        /// The one of this token.
        case token(LinkToken)
        /// Whatever is open, or being opened, of no later generation than the hint that says so.
        case hint(RouteKey, LinkHint)
        /// One that was found half-open, by what it was.
        case abandoned(LinkRecord)
    }

    package enum Action: Sendable, Equatable {
        /// → ``recordRead(_:)``
        /// - Parameter isLatest: whether an older state is of no use.
        case readRecord(isLatest: Bool)
        /// → ``written(_:)``
        case write(LinkWrite)
        /// → ``unlinked()``, whatever became of it.
        case unlink([RouteKey], through: Int64)
        case finish(Outcome)
    }

    package enum Outcome: Sendable, Equatable {
        /// By this, or by another one that did not get to telling everybody.
        case closed(LinkRecord)
        /// There is nothing of the kind to close.
        case none
        /// Others were always faster.
        case busy
    }

    private static let attempts = 16

    private enum State: Equatable {
        case reading(isLatest: Bool)
        case writing(LinkRecord)
        case clearing(Outcome)
        case done
    }

    package let key: LinkKey
    private let target: Target
    private let reason: LinkCloseReason
    private let now: @Sendable () -> Int64
    private var state = State.done
    private var attempt = 0

    /// - Parameter now: the primary's clock, in milliseconds.
    package init(key: LinkKey, _ target: Target, reason: LinkCloseReason, now: @escaping @Sendable () -> Int64) {
        self.key = key
        self.target = target
        self.reason = reason
        self.now = now
    }

    package mutating func begin() -> Action {
        self.attempt += 1
        guard self.attempt <= Self.attempts else { return self.finish(.busy) }
        self.state = .reading(isLatest: false)
        return .readRecord(isLatest: false)
    }

    package mutating func recordRead(_ record: LinkRecord?) -> Action {
        guard case .reading(let isLatest) = self.state else { preconditionFailure("the record was not asked for") }
        if case .hint(let key, let hint) = self.target, record.map({ $0.state == .closed }) ?? true {
            // An older state than the hint's: the read may have come from a primary that is none any more, and the hint be
            // that of an open Link.
            if (record?.generation ?? .min) < hint.generation, !isLatest {
                self.state = .reading(isLatest: true)
                return .readRecord(isLatest: true)
            }
            if record?.generation != hint.generation {
                // Stale: removed where it was met.
                self.state = .clearing(.none)
                return .unlink([key], through: hint.generation)
            }
        }
        guard let record, self.isMeant(record) else {
            guard case .hint(let key, let hint) = self.target else { return self.finish(.none) }
            self.state = .clearing(.none)
            return .unlink([key], through: hint.generation)
        }
        guard record.state != .closed else { return self.clear(record) }
        var new = record
        new.state = .closed
        new.reason = self.reason
        new.changed = self.now()
        self.state = .writing(new)
        return .write(LinkWrite(expected: .init(record), new: new))
    }

    /// - Parameter isCommitted: false: somebody else wrote first, or nobody knows.
    package mutating func written(_ isCommitted: Bool) -> Action {
        guard case .writing(let record) = self.state else { preconditionFailure("nothing was written") }
        return isCommitted ? self.clear(record) : self.begin()
    }

    package mutating func unlinked() -> Action {
        guard case .clearing(let outcome) = self.state else { preconditionFailure("nothing was removed") }
        return self.finish(outcome)
    }

    private func isMeant(_ record: LinkRecord) -> Bool {
        switch self.target {
        case .token(let token): record.token == token
        case .hint(_, let hint): record.generation <= hint.generation
        case .abandoned(let found):
            record.token == found.token && (record.state == .closed || record.changed == found.changed)
        }
    }

    private mutating func clear(_ record: LinkRecord) -> Action {
        self.state = .clearing(.closed(record))
        return .unlink(record.hints.map(\.key), through: record.generation)
    }

    private mutating func finish(_ outcome: Outcome) -> Action {
        self.state = .done
        return .finish(outcome)
    }
}
