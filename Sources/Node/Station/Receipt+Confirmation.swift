import Routing

extension Receipt {
    /// What the nodes say that they have written of one event. Never more than the transports of clients have taken; whether
    /// a client has read it only the client can tell, by an acknowledgement.
    public struct Confirmation: Sendable, Equatable, Codable {
        /// The whole of it in one word: the first of these that holds.
        public enum Outcome: String, Sendable, Codable, CaseIterable {
            /// Some connection was written to.
            case written
            /// It could not be told: a node did not answer, or a route could not be read.
            case unknown
            /// Nobody was written to, and it is in the recovery log for somebody who can come back.
            case stored
            /// Connections are there, and none of them has got it: they are not ready yet, or do not read.
            case pending
            /// Nobody is there.
            case offline
        }

        public var outcome: Outcome
        /// Connections that were written to, by device, over all nodes that answered.
        public var written: [String: Int]
        /// Connections that were not, by device: not ready yet, slow, closed for being slow, or between two polls.
        public var pending: [String: Int]
        /// Names, or ids, of the nodes that have such connections and did not say, in order.
        public var unknown: [String]
        /// Every node has answered, every connection was written to, and nobody may have been missed.
        public var isComplete: Bool

        init(_ confirmed: ConfirmedReceipt, names: ([NodeID]) -> [String]) {
            self.written = confirmed.devices.mapValues(\.written).filter { $0.value > 0 }
            self.pending = confirmed.devices.mapValues(\.pending).filter { $0.value > 0 }
            self.unknown = names(confirmed.unknown).sorted()
            let isKnown = confirmed.isAnswered && confirmed.receipt.isComplete
            self.isComplete = isKnown && self.pending.isEmpty
            self.outcome =
                if !self.written.isEmpty {
                    .written
                } else if !isKnown {
                    .unknown
                } else if confirmed.receipt.stored {
                    .stored
                } else {
                    self.pending.isEmpty ? .offline : .pending
                }
        }
    }
}
