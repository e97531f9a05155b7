import NIOCore

/// What a ``TimingWheel`` calls. Loop-bound.
protocol Timed: AnyObject {
    /// Where the wheel keeps it; only the wheel writes it.
    var spoke: TimingWheel.Spoke { get set }

    /// The deadline was reached, or was once and has moved since.
    /// - Returns: when to call again; nil to leave the wheel.
    func deadlineReached(at now: NIODeadline) -> NIODeadline?
}

/// One timer for all sessions of an event loop (SPEC LC-9): a wheel of slots, one of which is looked at each tick. A
/// deadline that moves later costs nothing until its old slot comes round.
final class TimingWheel {
    struct Spoke {
        fileprivate(set) var slot: Int32
        fileprivate(set) var seat: Int32

        static var none: Spoke { Spoke(slot: -1, seat: -1) }
        var isSet: Bool { self.slot >= 0 }
    }

    private let tick: TimeAmount
    private var slots: [[any Timed]]
    /// The slot of `time`.
    private var hand = 0
    private var time: NIODeadline

    /// - Parameters:
    ///   - tick: resolution; deadlines are noticed up to one tick late.
    ///   - slots: what lies further ahead than `tick * slots` is looked at once a turn.
    init(tick: TimeAmount, slots: Int, now: NIODeadline) {
        self.tick = tick
        self.slots = Array(repeating: [], count: slots)
        self.time = now
    }

    /// Adds an entry, or moves it.
    func schedule(_ entry: any Timed, at deadline: NIODeadline) {
        self.cancel(entry)
        let ahead = (deadline - self.time).nanoseconds
        // At least the next slot: the present one is being looked at.
        let ticks = ahead <= 0 ? 1 : Int((ahead + self.tick.nanoseconds - 1) / self.tick.nanoseconds)
        let slot = (self.hand + min(max(ticks, 1), self.slots.count - 1)) % self.slots.count
        entry.spoke = Spoke(slot: Int32(slot), seat: Int32(self.slots[slot].count))
        self.slots[slot].append(entry)
    }

    func cancel(_ entry: any Timed) {
        guard entry.spoke.isSet else { return }
        let slot = Int(entry.spoke.slot)
        let seat = Int(entry.spoke.seat)
        entry.spoke = .none
        let last = self.slots[slot].removeLast()
        if seat < self.slots[slot].count {
            self.slots[slot][seat] = last
            last.spoke.seat = Int32(seat)
        }
    }

    /// Looks at every slot whose time has come. Call about once a tick.
    func advance(to now: NIODeadline) {
        var turns = self.slots.count
        while self.time + self.tick <= now, turns > 0 {
            turns -= 1
            self.time = self.time + self.tick
            self.hand = (self.hand + 1) % self.slots.count
            let due = self.slots[self.hand]
            self.slots[self.hand].removeAll(keepingCapacity: due.count <= 64)
            for entry in due { entry.spoke = .none }
            for entry in due {
                if let next = entry.deadlineReached(at: now) { self.schedule(entry, at: next) }
            }
        }
        // After a long stall one turn has seen everybody.
        if self.time + self.tick <= now { self.time = now }
    }
}

@available(*, unavailable) extension TimingWheel: Sendable {}
