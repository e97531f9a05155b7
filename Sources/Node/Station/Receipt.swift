import Routing

/// What is known of a send once it has been handed over (SPEC EV-2).
public struct Receipt: Sendable, Equatable, Codable {
    /// At least one matching connection, on a node that is not held to be dead, was found.
    public var didReceive: Bool
    /// Connections on this node.
    public var local: Int
    /// Other nodes with matching connections; each has the event in its inbox.
    public var nodes: Int
    /// It is in the recovery log, as somebody whom it is for can come back: away by now or not, they get it within the
    /// recovery window (SPEC EV-3). False while connection state recovery is off, and where nobody can come back.
    public var stored: Bool
    /// False when somebody may have missed it: a route could not be read, or an inbox not be written.
    public var isComplete: Bool
    /// What `submergence why` takes; nil for an event that is not traced.
    public var event: String?
    /// What the nodes say that they have written; nil where they were not asked (``SendConfirmation``).
    public var confirmation: Confirmation?

    init(_ confirmed: ConfirmedReceipt, _ trace: TracedEvent?, names: ([NodeID]) -> [String]) {
        self.init(confirmed.receipt, trace)
        self.confirmation = Confirmation(confirmed, names: names)
    }

    init(_ receipt: SendReceipt, _ trace: TracedEvent?) {
        self.event = trace?.id.text
        self.didReceive = receipt.didReceive
        self.local = receipt.local
        self.nodes = receipt.nodes
        self.stored = receipt.stored
        self.isComplete = receipt.isComplete
    }
}
