/// What a node may still do, by the age of its last renewal (SPEC ND-3).
package enum LeaseStanding: UInt8, Sendable, Comparable {
    /// Dropped, claimed, or silent for 30 s: every socket and cache goes; only a new incarnation may go on.
    case isolated
    /// From 10 s on: only the sockets are kept.
    case silenced
    /// From 7 s on: no accepting, no route write, no session cache. Presence handlers still run.
    case fenced
    /// A newcomer of the same name took over (ND-5), and the lease is fresh: connections are removed, none accepted.
    case leaving
    /// Renewed in time.
    case held

    package static func < (left: LeaseStanding, right: LeaseStanding) -> Bool { left.rawValue < right.rawValue }

    package var mayAccept: Bool { self == .held }
    package var mayWriteRoutes: Bool { self >= .leaving }
    package var mayCallHandlers: Bool { self >= .fenced }
    package var mayUseSessionCache: Bool { self == .held }
    package var isIsolated: Bool { self == .isolated }
}
