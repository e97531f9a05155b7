import Synchronization

/// Puts a receipt together from what this node and the bus report.
final class ReceiptParts: Sendable {
    private let state = Mutex((missing: 2, receipt: RoomReceipt(local: 0, nodes: 0, isComplete: true)))
    private let completion: @Sendable (RoomReceipt) -> Void

    init(_ completion: @escaping @Sendable (RoomReceipt) -> Void) {
        self.completion = completion
    }

    func report(local: Int) { self.update { $0.local = local } }

    func report(nodes: Int, isComplete: Bool) {
        self.update {
            $0.nodes = nodes
            $0.isComplete = isComplete
        }
    }

    private func update(_ body: (inout RoomReceipt) -> Void) {
        let receipt: RoomReceipt? = self.state.withLock { state in
            body(&state.receipt)
            state.missing -= 1
            return state.missing == 0 ? state.receipt : nil
        }
        if let receipt { self.completion(receipt) }
    }
}
