import Synchronization

/// Acknowledgement ids of the events that this process sends: none is used twice, whatever socket or namespace it goes to
/// (SOCKETIO §12).
package final class AckIDs: Sendable {
    private let last = Atomic<Int64>(-1)

    package init() {}

    package func next() -> Int64 { self.last.add(1, ordering: .relaxed).newValue }
}
