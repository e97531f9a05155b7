import NIOCore

/// Who is signed in to the dashboard of this node. A value; time is an argument. It knows secrets by their hashes only.
struct DashboardSessionTable: Sendable {
    struct Limits: Sendable, Equatable {
        /// Sessions at once; beyond it the one that was used longest ago ends.
        var sessions = 200
        /// From the sign-in on.
        var lifespan: TimeAmount = .hours(8)
        /// Without a request.
        var idle: TimeAmount = .minutes(30)
    }

    private let limits: Limits
    private var sessions: [[UInt8]: DashboardSession] = [:]

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    var count: Int { self.sessions.count }

    mutating func open(
        _ key: ControlKey, hash: [UInt8], label: String, csrf: String, at now: NIODeadline
    ) -> DashboardSession {
        self.sweep(at: now)
        if self.sessions.count >= self.limits.sessions,
            let oldest = self.sessions.min(by: { $0.value.used < $1.value.used })?.key
        {
            self.sessions[oldest] = nil
        }
        let session = DashboardSession(
            key: key.name, keyDigest: key.digest, label: label, csrf: csrf, end: now + self.limits.lifespan, used: now)
        self.sessions[hash] = session
        return session
    }

    /// - Returns: nil where there is none, or it is over. A session that is asked for is used.
    mutating func session(_ hash: [UInt8], at now: NIODeadline) -> DashboardSession? {
        guard var session = self.sessions[hash] else { return nil }
        guard self.isAlive(session, at: now) else {
            self.sessions[hash] = nil
            return nil
        }
        session.used = now
        self.sessions[hash] = session
        return session
    }

    /// Whether a session is still there. An open stream keeps it in use: somebody looks at the page.
    mutating func keep(_ label: String, at now: NIODeadline) -> Bool {
        guard let hash = self.sessions.first(where: { $0.value.label == label })?.key else { return false }
        return self.session(hash, at: now) != nil
    }

    /// - Returns: the session that has ended.
    mutating func close(_ hash: [UInt8]) -> DashboardSession? { self.sessions.removeValue(forKey: hash) }

    private mutating func sweep(at now: NIODeadline) {
        self.sessions = self.sessions.filter { self.isAlive($0.value, at: now) }
    }

    private func isAlive(_ session: DashboardSession, at now: NIODeadline) -> Bool {
        now < session.end && now - session.used < self.limits.idle
    }
}
