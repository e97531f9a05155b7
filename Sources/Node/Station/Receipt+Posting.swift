import Routing
import Wire

extension PostingOutcome {
    /// - Parameter attempt: from the second on, an attempt before may have reached somebody whom this one has not.
    init(_ receipt: Receipt, attempt: Int, node: String) {
        let outcome =
            if let confirmation = receipt.confirmation {
                confirmation.outcome.rawValue
            } else if receipt.didReceive {
                "sent"
            } else if receipt.stored {
                "stored"
            } else {
                receipt.isComplete ? "offline" : "unknown"
            }
        let isSure = attempt == 1 || outcome != "offline"
        let document = BSONDocument { document in
            document.append("node", node)
            document.append("outcome", isSure ? outcome : "unknown")
            document.append("nodes", Int32(clamping: receipt.nodes + (receipt.local > 0 ? 1 : 0)))
            document.append("stored", receipt.stored)
            document.append("event", ifPresent: receipt.event)
            if let confirmation = receipt.confirmation {
                document.array("devices") { devices in
                    // As names of fields these would be at the mercy of whoever names devices.
                    for client in Set(confirmation.written.keys).union(confirmation.pending.keys).sorted() {
                        devices.documentElement { device in
                            device.append("client", client)
                            device.append("written", Int32(clamping: confirmation.written[client] ?? 0))
                            device.append("pending", Int32(clamping: confirmation.pending[client] ?? 0))
                        }
                    }
                }
                document.array("unknown") { names in for name in confirmation.unknown { names.element(name) } }
            }
        }
        self.init(isComplete: receipt.isComplete, receipt: document)
    }
}
