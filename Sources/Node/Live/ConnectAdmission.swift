import Metrics
import Synchronization

/// Bounds the connects that are being authenticated or committed at once (SPEC ND-15).
final class ConnectAdmission: Sendable {
    let limit: Int
    private let pending = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    var hasRoom: Bool { self.pending.load(ordering: .relaxed) < self.limit }

    var count: Int { self.pending.load(ordering: .relaxed) }

    func enter() { self.pending.add(1, ordering: .relaxed) }

    func leave() { self.pending.subtract(1, ordering: .relaxed) }
}
