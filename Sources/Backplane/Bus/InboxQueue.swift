import Dispatch
import NIOCore
import Synchronization
import Wire

/// Between the tails and the receiver: bounded in bytes. A tail that finds it full parks; the slot is then the queue.
final class InboxQueue: Sendable {
    struct Item: Sendable {
        var home: Int
        var envelope: Result<Envelope, EnvelopeError>
    }

    private struct State {
        var items: [Item] = []
        var bytes = 0
        var isReaderWaiting = false
        var parked = 0
        var isClosed = false
    }

    private let limit: Int
    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)
    private let drained = DispatchSemaphore(value: 0)

    init(limit: Int) { self.limit = limit }

    /// Blocks while the queue is full. - Returns: false once it is closed.
    func push(_ item: Item) -> Bool {
        enum Step { case done(wake: Bool), park, closed }
        let size = if case .success(let envelope) = item.envelope { envelope.batch.readableBytes + 256 } else { 256 }
        while true {
            let step: Step = self.state.withLock { state in
                if state.isClosed { return .closed }
                guard state.items.isEmpty || state.bytes + size <= self.limit else {
                    state.parked += 1
                    return .park
                }
                state.items.append(item)
                state.bytes += size
                defer { state.isReaderWaiting = false }
                return .done(wake: state.isReaderWaiting)
            }
            switch step {
            case .done(let wake):
                if wake { self.arrived.signal() }
                return true
            case .park: self.drained.wait()
            case .closed: return false
            }
        }
    }

    /// Everything that is there; waits for something until the deadline. One reader only.
    /// - Returns: nil once the queue is closed.
    func drain(until deadline: NIODeadline) -> [Item]? {
        var isSecond = false
        while true {
            let (items, parked, isClosed) = self.state.withLock { state -> ([Item], Int, Bool) in
                let items = state.items
                state.isReaderWaiting = items.isEmpty && !isSecond && !state.isClosed
                defer {
                    state.items = []
                    state.bytes = 0
                    state.parked = 0
                }
                return (items, items.isEmpty ? 0 : state.parked, state.isClosed)
            }
            for _ in 0..<parked { self.drained.signal() }
            if isClosed { return nil }
            if !items.isEmpty || isSecond { return items }
            let wait = max(.zero, deadline - BusClock.now())
            _ = self.arrived.wait(timeout: .now() + .nanoseconds(Int(wait.nanoseconds)))
            isSecond = true
        }
    }

    func close() {
        let parked = self.state.withLock { state in
            state.isClosed = true
            defer { state.parked = 0 }
            return state.parked
        }
        for _ in 0..<parked { self.drained.signal() }
        self.arrived.signal()
    }
}
