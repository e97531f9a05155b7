import Routing
import Wire

extension LiveServer {
    /// Sends an event, and asks the nodes what they have written of it (SPEC EV-2).
    /// - Throws: ``StationError/unavailable(_:)`` when too many such calls are under way.
    func sendConfirmed(
        _ packet: OutboundPacket, to key: RouteKey, _ client: String?, _ delivery: EventDelivery,
        _ trace: TracedEvent?, _ timeout: Duration, on node: ClusterNode
    ) async throws(StationError) -> Receipt {
        let confirmed: ConfirmedReceipt
        do {
            confirmed = try await node.dispatcher.sendConfirmed(
                packet, to: key, client: client, mode: delivery.mode, trace: trace, timeout: timeout)
        } catch {
            throw .unavailable("too many requests to other nodes are under way")
        }
        let receipt = Receipt(confirmed, trace, names: self.nodeNames)
        if let confirmation = receipt.confirmation { self.confirmations.note(confirmation) }
        return receipt
    }
}
