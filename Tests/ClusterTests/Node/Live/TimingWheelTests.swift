import NIOCore
import Testing

@testable import Node

/// SPEC LC-9: one timer per loop for all sessions.
@Suite struct TimingWheelTests {
    private final class Entry: Timed {
        var spoke = TimingWheel.Spoke.none
        var deadline: NIODeadline
        private(set) var calls: [NIODeadline] = []
        /// What the entry answers once its deadline was reached.
        var next: NIODeadline?

        init(_ deadline: NIODeadline) { self.deadline = deadline }

        func deadlineReached(at now: NIODeadline) -> NIODeadline? {
            guard now >= self.deadline else { return self.deadline }
            self.calls.append(now)
            guard let next = self.next else { return nil }
            self.deadline = next
            self.next = nil
            return next
        }
    }

    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func wheel() -> TimingWheel { TimingWheel(tick: .milliseconds(10), slots: 8, now: self.start) }

    @Test("LC-9: an entry is called at its deadline, up to one tick late, never early")
    func onTime() {
        let wheel = self.wheel()
        let entry = Entry(self.start + .milliseconds(35))
        wheel.schedule(entry, at: entry.deadline)
        wheel.advance(to: self.start + .milliseconds(34))
        #expect(entry.calls.isEmpty)
        wheel.advance(to: self.start + .milliseconds(45))
        #expect(entry.calls.count == 1)
        #expect(entry.spoke.isSet == false)
        wheel.advance(to: self.start + .seconds(1))
        #expect(entry.calls.count == 1)
    }

    @Test("LC-9: a deadline beyond the wheel's turn is kept")
    func farAway() {
        let wheel = self.wheel()
        let entry = Entry(self.start + .milliseconds(500))
        wheel.schedule(entry, at: entry.deadline)
        for step in 1...49 { wheel.advance(to: self.start + .milliseconds(Int64(step) * 10)) }
        #expect(entry.calls.isEmpty)
        wheel.advance(to: self.start + .milliseconds(520))
        #expect(entry.calls.count == 1)
    }

    @Test("LC-9: a deadline that moved later costs a look, one that moved earlier is honoured")
    func moving() {
        let wheel = self.wheel()
        let entry = Entry(self.start + .milliseconds(20))
        wheel.schedule(entry, at: entry.deadline)
        entry.deadline = self.start + .milliseconds(60)
        wheel.advance(to: self.start + .milliseconds(40))
        #expect(entry.calls.isEmpty)
        entry.deadline = self.start + .milliseconds(45)
        wheel.schedule(entry, at: entry.deadline)
        wheel.advance(to: self.start + .milliseconds(60))
        #expect(entry.calls.count == 1)
    }

    @Test("LC-9: a stalled loop sees every overdue entry once")
    func stall() {
        let wheel = self.wheel()
        let entries = (1...50).map { Entry(self.start + .milliseconds(Int64($0) * 7)) }
        for entry in entries { wheel.schedule(entry, at: entry.deadline) }
        wheel.advance(to: self.start + .seconds(60))
        #expect(entries.allSatisfy { $0.calls.count == 1 })
    }

    @Test("A cancelled entry is not called, and its neighbours still are")
    func cancelling() {
        let wheel = self.wheel()
        let entries = (0..<5).map { _ in Entry(self.start + .milliseconds(20)) }
        for entry in entries { wheel.schedule(entry, at: entry.deadline) }
        wheel.cancel(entries[1])
        wheel.cancel(entries[1])
        wheel.cancel(entries[4])
        wheel.advance(to: self.start + .milliseconds(40))
        #expect(entries.map(\.calls.count) == [1, 0, 1, 1, 0])
    }

    @Test("An entry that names a next deadline is called again")
    func repeating() {
        let wheel = self.wheel()
        let entry = Entry(self.start + .milliseconds(20))
        entry.next = self.start + .milliseconds(55)
        wheel.schedule(entry, at: entry.deadline)
        for step in 1...10 { wheel.advance(to: self.start + .milliseconds(Int64(step) * 10)) }
        #expect(entry.calls == [self.start + .milliseconds(20), self.start + .milliseconds(60)])
    }
}
