package import NIOCore

/// The probes that a node sends itself through one of its homes (SPEC ND-10), and what they tell: how old the newest is,
/// what the bus takes, and what the server's clock says.
package struct ProbeClock: Sendable {
    private let interval: TimeAmount
    private let silence: TimeAmount
    private var nextSequence: Int64 = 1
    private var due: NIODeadline
    /// Probes under way, oldest first; older ones than the last few are not worth keeping.
    private var outstanding: [(sequence: Int64, sent: NIODeadline)] = []
    private var lastActivity: NIODeadline
    private var newest: (seconds: Int64, sent: NIODeadline)?

    /// Of the newest probe that came back; nil before the first.
    package private(set) var latency: TimeAmount?
    package private(set) var lastReceived: NIODeadline?

    package init(limits: InboxLimits, now: NIODeadline) {
        self.interval = limits.probeInterval
        self.silence = limits.tailSilence
        self.due = now
        self.lastActivity = now
    }

    /// - Returns: the sequence number of a probe to be sent now, if one is due.
    package mutating func send(at now: NIODeadline) -> Int64? {
        guard now >= self.due else { return nil }
        self.due = now + self.interval
        let sequence = self.nextSequence
        self.nextSequence += 1
        self.outstanding.append((sequence, now))
        if self.outstanding.count > 64 { self.outstanding.removeFirst() }
        return sequence
    }

    package var nextDue: NIODeadline { self.due }

    /// - Returns: how long the probe took; nil for one that came before, or was not sent through this home.
    package mutating func receive(_ sequence: Int64, seconds: Int64, at now: NIODeadline) -> TimeAmount? {
        self.lastActivity = now
        guard let index = self.outstanding.firstIndex(where: { $0.sequence == sequence }) else { return nil }
        let sent = self.outstanding[index].sent
        self.outstanding.removeFirst(index + 1)
        self.newest = (seconds, sent)
        self.lastReceived = now
        let taken = now - sent
        self.latency = taken
        return taken
    }

    /// Something else came through the tail: it is behind, but not dead.
    package mutating func sawActivity(at now: NIODeadline) { self.lastActivity = now }

    /// True once for every 3 s in which the tail delivered nothing, although probes were sent (SPEC ND-10).
    package mutating func isSilent(at now: NIODeadline) -> Bool {
        guard now - self.lastActivity >= self.silence else { return false }
        self.lastActivity = now
        return true
    }

    /// Whether a probe is missing for twice the time between two: what was put into this home meanwhile was not read.
    package func isBehind(at now: NIODeadline) -> Bool {
        self.outstanding.first.map { now - $0.sent >= self.interval * 2 } ?? false
    }

    /// The server's clock now, in seconds since 1970, as the newest probe shows it: stamped then, and so long ago.
    package func serverSeconds(at now: NIODeadline) -> Int64? {
        guard let newest = self.newest else { return nil }
        return newest.seconds + (now - newest.sent).nanoseconds / 1_000_000_000
    }
}
