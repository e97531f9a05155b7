import Routing
import Synchronization

/// Notices that the process was stopped for a while (suspended, swapped out, starved), and says when it has heard what the bus
/// held for it meanwhile (SPEC ID-13): a node that serves from its cache before that could serve a session that has ended.
///
/// It has, when a probe of its own that was sent after it woke has come back through *each* home: a probe lies behind every
/// message that was written to that home before, and a logout is in one of the two. Where a home does not answer, the senders
/// use the other one (ND-7), so that this is waited for only so long.
final class StallWatch: Sendable {
    /// Nanoseconds between two ticks that are a stop. Ticks are made five times a second; a stop that is shorter costs one
    /// latency of the bus.
    static let threshold = Nanoseconds.seconds(1)
    /// Nanoseconds that probes are waited for.
    static let patience = Nanoseconds.seconds(10)

    private struct State {
        var tick: Int64
        var woke: Int64?
    }

    private let now: @Sendable () -> Int64
    private let state: Mutex<State>

    /// - Parameter now: nanoseconds of a clock that runs on while the process is stopped.
    init(now: @escaping @Sendable () -> Int64 = { SystemClusterClock().now() }) {
        self.now = now
        self.state = Mutex(State(tick: now()))
    }

    /// Call several times a second.
    func tick() {
        let now = self.now()
        self.state.withLock { state in
            if now - state.tick >= Self.threshold { state.woke = now }
            state.tick = now
        }
    }

    /// Whether the node has heard everything that was written before it woke.
    func isCaughtUp(_ health: BusHealth) -> Bool {
        let now = self.now()
        return self.state.withLock { state in
            // It has just been woken, and its own timer does not know yet.
            if now - state.tick >= Self.threshold { return false }
            guard let woke = state.woke else { return true }
            let sinceWaking = Double(now - woke) / 1_000_000_000
            let isHeard = zip(health.probeAge, health.latency).allSatisfy { $0 + $1 < sinceWaking }
            guard isHeard || now - woke >= Self.patience else { return false }
            state.woke = nil
            return true
        }
    }
}
