/// The directory of ND-2, as senders use it.
package protocol NodeDirectory: Sendable {
    /// From the newest reading; nil for a node that is not in it.
    func record(of node: NodeID) -> NodeRecord?

    /// Reads a node that was met in a route but is missing in the directory (ND-2).
    /// - Returns: nil when there is no such record, or when it could not be read.
    func resolve(_ node: NodeID) async -> NodeRecord?
}
