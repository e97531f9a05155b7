/// What is known of a send that the nodes were asked about (SPEC EV-2).
package struct ConfirmedReceipt: Sendable, Equatable {
    /// Of the send. Incomplete, and without a count, where that had not come to its end in time.
    package var receipt: SendReceipt
    /// By client, over all nodes that answered.
    package var devices: [String: WrittenDevice]
    /// Nodes with such connections that did not answer in time, died meanwhile or could not be reached.
    package var unknown: [NodeID]
    /// False when something that was asked for is missing.
    package var isAnswered: Bool

    package init(_ receipt: SendReceipt?, _ replies: ClusterReplies) {
        self.receipt = receipt ?? SendReceipt(local: 0, nodes: 0, isComplete: false)
        self.devices = [:]
        self.unknown = (replies.silent + replies.departed).sorted()
        self.isAnswered = replies.isComplete && replies.withoutAnswer == 0
        for item in replies.items {
            guard let device = WrittenDevice(item) else {
                self.isAnswered = false
                continue
            }
            device.add(to: &self.devices)
        }
    }
}
