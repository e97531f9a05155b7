/// What is known of a send once it has been handed over (SPEC EV-2).
package struct SendReceipt: Sendable, Equatable {
    /// Connections on this node that it was written to or queued for.
    package var local: Int
    /// Other nodes with matching connections, each of which has the event in its inbox.
    package var nodes: Int
    /// It is in the recovery log: whoever it is for gets it, even if the connection is lost or was lost before, once back
    /// within the window (SPEC EV-3).
    package var stored: Bool
    /// False when a route could not be read or a node's inbox could not be written: somebody may not get it.
    package var isComplete: Bool

    /// At least one matching connection on a node that is not claimed was found.
    package var didReceive: Bool { self.local > 0 || self.nodes > 0 }

    package init(local: Int, nodes: Int, stored: Bool = false, isComplete: Bool) {
        self.local = local
        self.nodes = nodes
        self.stored = stored
        self.isComplete = isComplete
    }
}
