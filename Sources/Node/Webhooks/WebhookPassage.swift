internal import Synchronization

/// What a forwarded action holds of its target until its answer is complete: its turn, and a connection.
final class WebhookPassage: Sendable {
    private let ends = Mutex<[@Sendable () -> Void]>([])

    /// - Parameter end: gives it back.
    func hold(_ end: @escaping @Sendable () -> Void) { self.ends.withLock { $0.append(end) } }

    /// Gives everything back, what was had last first.
    func end() {
        let ends = self.ends.withLock { ends in
            defer { ends = [] }
            return ends
        }
        for end in ends.reversed() { end() }
    }
}
