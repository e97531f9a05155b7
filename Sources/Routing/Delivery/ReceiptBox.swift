import Synchronization

/// The receipt of a send that is waited for only so long.
final class ReceiptBox: Sendable {
    private let state = Mutex<SendReceipt?>(nil)

    /// nil until the send has completed.
    var receipt: SendReceipt? { self.state.withLock(\.self) }

    func set(_ receipt: SendReceipt) { self.state.withLock { $0 = receipt } }
}
