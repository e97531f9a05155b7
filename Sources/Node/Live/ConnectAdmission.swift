import NIOCore
import Synchronization

/// Bounds the connects that are being authenticated or committed at once (SPEC ND-15). On any thread.
///
/// There are two bounds. ``AdmissionWindow`` is what the node can do in time; beyond it handshakes are refused, which
/// costs next to nothing. ``limit`` is for those whose handshake was taken.
final class ConnectAdmission: Sendable {
    /// How full it is.
    struct Reading: Sendable {
        /// Connects under way, of so many.
        var pending: Int
        var limit: Int
        /// Connects that are worked on, as a part of the window; more than 1 where it has just shrunk.
        var fill: Double
        /// The same of the ``AdmissionWindow``.
        var rate: Double
        var isFull: Bool
        /// Somebody was refused since the reading before.
        var hasRefused: Bool
    }

    let limit: Int
    private let pending = Atomic<Int>(0)
    /// Those of them that do not wait for the application.
    private let working = Atomic<Int>(0)
    private let done = Atomic<Int>(0)
    private let hasRefused = Atomic<Bool>(false)
    private let size: Atomic<Int>
    private let window: Mutex<(value: AdmissionWindow, sampled: NIODeadline)>

    /// - Parameter target: ``LiveOptions/connectTarget``; nil: none.
    init(limit: Int, target: Double?) {
        self.limit = limit
        let window = AdmissionWindow(limit: limit, target: target)
        self.size = Atomic(window.size)
        self.window = Mutex((window, .now()))
    }

    var hasRoom: Bool { self.pending.load(ordering: .relaxed) < self.limit }

    var count: Int { self.pending.load(ordering: .relaxed) }

    /// Whether one more may begin with a handshake.
    func mayBegin() -> Bool {
        if self.working.load(ordering: .relaxed) < self.size.load(ordering: .relaxed) { return true }
        self.hasRefused.store(true, ordering: .relaxed)
        return false
    }

    func enter() {
        self.pending.add(1, ordering: .relaxed)
        self.working.add(1, ordering: .relaxed)
    }

    /// The application is asked about a connect, which may take its time: nothing of that is this node's work.
    func beginWaiting() { self.working.subtract(1, ordering: .relaxed) }

    func endWaiting() { self.working.add(1, ordering: .relaxed) }

    /// - Parameters:
    ///   - isDone: the connect has become ready.
    ///   - isWaiting: the application has not answered.
    func leave(isDone: Bool, isWaiting: Bool) {
        self.pending.subtract(1, ordering: .relaxed)
        if !isWaiting { self.working.subtract(1, ordering: .relaxed) }
        if isDone { self.done.add(1, ordering: .relaxed) }
    }

    /// Lets the window follow what got done. About five times a second, by one caller.
    func sample(at now: NIODeadline) -> Reading {
        let working = self.working.load(ordering: .relaxed)
        let done = self.done.exchange(0, ordering: .relaxed)
        let hasRefused = self.hasRefused.exchange(false, ordering: .relaxed)
        let window = self.window.withLock { window in
            window.value.sample(
                AdmissionWindow.Sample(
                    done: done, working: working, hasRefused: hasRefused,
                    nanoseconds: (now - window.sampled).nanoseconds))
            window.sampled = now
            return window.value
        }
        self.size.store(window.size, ordering: .relaxed)
        return Reading(
            pending: self.count, limit: self.limit, fill: Double(working) / Double(window.size), rate: window.rate,
            isFull: window.isFull, hasRefused: hasRefused)
    }
}
