package import Routing

/// Decides how one renewer replaces one session (SPEC ID-9): what to ask of the store next. Owns no store and no clock.
///
/// All renewers of a session, on all nodes, come to the same successor: whoever is first stores nonce and key, everybody
/// derives from them. A successor that nobody is told of (its renewer died, the answer was lost) is found again by the
/// next renewer; until it is presented, the old secret stays good.
package struct RenewalMachine: Sendable {
    package enum Step: Sendable {
        /// ``SessionStore/beginRenewal(_:_:)``, then ``began(_:)``.
        case begin([UInt8], SessionRecord.Renewal)
        /// ``SessionStore/insert(_:)``, then ``inserted()``.
        case insert(SessionRecord)
        /// ``SessionStore/findLatest(_:)``, then ``confirmed(_:)``.
        case confirm([UInt8])
        /// ``SessionStore/invalidate(_:reason:)``, then the outcome is ``Outcome/revoked``.
        case invalidate([UInt8])
        case end(Outcome)
    }

    package enum Outcome: Sendable {
        /// The request goes on as the successor's, which it is told of.
        case renewed(SessionRecord, SessionSecret)
        /// The stored session is not to be renewed: what ID-6 says of this record counts.
        case stale(SessionRecord?)
        /// It was invalidated while it was renewed: the request is a guest's.
        case revoked
        /// The key of a renewal that began earlier is not at hand: the session goes on as it is.
        case underivable
    }

    private let record: SessionRecord
    private let secret: SessionSecret
    private let keys: SigningKeys
    private let machine: SessionMachine
    private let now: Int64
    private var successor: (record: SessionRecord, secret: SessionSecret)?

    /// - Parameters:
    ///   - record: the session of `secret`, active and due.
    ///   - now: milliseconds since 1970.
    package init(
        _ record: SessionRecord, _ secret: SessionSecret, keys: SigningKeys, machine: SessionMachine, now: Int64
    ) {
        self.record = record
        self.secret = secret
        self.keys = keys
        self.machine = machine
        self.now = now
    }

    /// - Parameter nonce: ``SessionRecord/Renewal/nonceLength`` random bytes; they count for the first renewer.
    package func start(nonce: [UInt8]) -> Step {
        .begin(self.record.hash, SessionRecord.Renewal(key: self.keys.first.id, nonce: nonce))
    }

    /// - Parameter stored: the old record as it is now; nil if it is gone.
    package mutating func began(_ stored: SessionRecord?) -> Step {
        guard let stored,
            case .active(isDue: true) = self.machine.state(of: stored, in: self.record.domain, at: self.now),
            let renewal = stored.renewal
        else { return .end(.stale(stored)) }
        guard let key = self.keys.key(renewal.key) else { return .end(.underivable) }
        let secret = self.secret.successor(by: key, nonce: renewal.nonce)
        var record = SessionRecord(
            hash: secret.hash, domain: stored.domain, user: stored.user, client: stored.client, now: self.now,
            isRemembered: stored.isRemembered,
            expires: self.machine.expiry(isRemembered: stored.isRemembered, login: stored.login, at: self.now))
        record.login = stored.login
        record.chain = stored.chain
        record.predecessor = stored.hash
        self.successor = (record, secret)
        return .insert(record)
    }

    package func inserted() -> Step { .confirm(self.record.hash) }

    /// The order matters: a logout either finds the successor, or has marked the old record before it is read here.
    ///
    /// - Parameter stored: the old record, read after the insertion.
    package func confirmed(_ stored: SessionRecord?) -> Step {
        guard let successor = self.successor else { preconditionFailure("confirmed before it was inserted") }
        guard stored?.isValid == true else { return .invalidate(successor.record.hash) }
        return .end(.renewed(successor.record, successor.secret))
    }
}
