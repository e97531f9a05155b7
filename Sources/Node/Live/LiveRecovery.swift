import Crypto
import Metrics
import NIOCore
import Routing
import Synchronization
import Wire

/// Connection state recovery, where it is on (SOCKETIO §14): what the connections of all loops need of it.
final class LiveRecovery: Sendable {
    /// Seconds that a client may be away.
    let window: Int64
    let log: any RecoveryLog
    let recovered = Counter(label: "submergence_recovery_connections_total", dimensions: [("outcome", "recovered")])
    let unknown = Counter(label: "submergence_recovery_connections_total", dimensions: [("outcome", "unknown")])
    let incomplete = Counter(label: "submergence_recovery_connections_total", dimensions: [("outcome", "incomplete")])
    let failed = Counter(label: "submergence_recovery_connections_total", dimensions: [("outcome", "failed")])
    let roomsExceeded = Counter(label: "submergence_recovery_rooms_exceeded_total")
    let roomsFailed = Counter(label: "submergence_recovery_rooms_failed_total")
    let tracking: RecoveryTracking
    private let clock: Clock

    /// The primary's clock as the loops last saw it: fine enough for what is kept for minutes.
    private final class Clock: Sendable {
        let seconds = Atomic<Int64>(SystemClusterClock().wallTime() / 1_000)
    }

    init(window: Int64, log: any RecoveryLog) {
        let clock = Clock()
        self.window = window
        self.log = log
        self.clock = clock
        self.tracking = RecoveryTracking(window: window) { clock.seconds.load(ordering: .relaxed) }
    }

    /// - Parameter time: milliseconds of the primary's clock.
    func note(_ time: Int64) { self.clock.seconds.store(time / 1_000, ordering: .relaxed) }

    /// Where a client says that it is; nil for something that is no position.
    /// - Parameter offset: nil for a client that was never sent an event.
    func position(_ offset: String?) -> RecoveryPosition? {
        guard let offset else { return RecoveryPosition() }
        return RecoveryPosition(text: offset, now: self.tracking.now(), window: self.window)
    }

    /// What is stored of a private ID.
    static func hash(_ pid: String) -> PrivateIDHash {
        PrivateIDHash(digest: SHA256.hash(data: Array(pid.utf8)))
    }
}
