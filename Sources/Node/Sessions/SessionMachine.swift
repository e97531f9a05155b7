package import Routing

/// The decision table of SPEC ID-6: what a stored session is worth at a moment. Pure; milliseconds since 1970.
package struct SessionMachine: Sendable {
    package enum State: Sendable, Equatable {
        case guest(GuestReason)
        /// User and client are known, but not logged in.
        case idle
        /// `isDue`: the token has reached its age and is to be replaced (ID-9).
        case active(isDue: Bool)
    }

    package enum GuestReason: Sendable, Equatable {
        case unknown
        case otherDomain
        case expired
        /// The successor was presented longer ago than the grace: somebody holds an old copy. Goes to the security log.
        case superseded
    }

    package let lifespan: Int64
    package let renewalTimeout: Int64
    package let loginLifespan: Int64
    package let cookieLifespan: Int64
    package let renewalGrace: Int64
    package let activityResolution: Int64

    package init(_ options: SessionOptions) {
        func milliseconds(_ seconds: Double) -> Int64 { Int64(seconds * 1_000) }
        self.lifespan = milliseconds(options.sessionLifespan)
        self.renewalTimeout = milliseconds(options.sessionRenewalTimeout)
        self.loginLifespan = milliseconds(options.loginLifespan)
        self.cookieLifespan = milliseconds(options.cookieLifespan)
        self.renewalGrace = milliseconds(options.renewalGrace)
        self.activityResolution = milliseconds(options.activityResolution)
    }

    package func state(of record: SessionRecord?, in domain: String, at now: Int64) -> State {
        guard let record else { return .guest(.unknown) }
        guard record.domain == domain else { return .guest(.otherDomain) }
        guard now < record.expires else { return .guest(.expired) }
        guard record.isValid else { return .idle }
        if self.loginLifespan > 0 && now - record.login >= self.loginLifespan { return .idle }
        if let presented = record.successorPresented, now - presented > self.renewalGrace { return .guest(.superseded) }
        if now - record.created < self.lifespan { return .active(isDue: false) }
        if now - record.activity < self.renewalTimeout { return .active(isDue: true) }
        return .idle
    }

    /// Whether a socket that the session opened may stay (SPEC ID-16): its age, its inactivity and its successors are no
    /// matter, as an open connection is activity, and cannot take a new cookie.
    package func holdsSockets(_ record: SessionRecord?, in domain: String, at now: Int64) -> Bool {
        if case .active = self.socketState(of: record, in: domain, at: now) { true } else { false }
    }

    /// When a record that is made now goes (`x`): with the last moment at which it could be more than a guest's.
    /// - Parameter login: when its chain began.
    package func expiry(isRemembered: Bool, login: Int64, at now: Int64) -> Int64 {
        if isRemembered || self.loginLifespan == 0 { return now + max(self.cookieLifespan, self.lifespan) }
        return max(login + self.loginLifespan, now + self.lifespan + self.renewalTimeout)
    }

    /// Whether activity at `now` is worth a write (SPEC ID-8).
    package func isTouchDue(_ record: SessionRecord, at now: Int64) -> Bool {
        now - record.activity >= self.activityResolution
    }
}
