import Synchronization

/// Numbers for publishers' connections, unique within a run.
final class StreamNumbers: Sendable {
    private let last = Atomic<Int>(0)

    func next() -> Int { self.last.wrappingAdd(1, ordering: .relaxed).newValue }
}
