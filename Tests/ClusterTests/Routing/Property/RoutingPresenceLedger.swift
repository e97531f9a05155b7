import Routing

/// Announced presence as its transitions tell it, one after the other: it must alternate, and be consecutive (SPEC §11.1,
/// LC-3).
struct RoutingPresenceLedger {
    private(set) var newest: Int64?
    private(set) var isOnline = false
    private(set) var clients: Set<String> = []

    /// - Returns: what is wrong with it, if anything is.
    mutating func take(_ transition: RouteTransition, of key: RouteKey) -> String? {
        let name = "\(key.user) seq \(transition.sequence & 0xFFFFF) \(transition.kind) \(transition.client ?? "")"
        let last = self.newest
        self.newest = transition.sequence
        let isAlternating: Bool
        switch (transition.kind, transition.client) {
        case (.userOnline, nil):
            isAlternating = !self.isOnline && self.clients.isEmpty
            self.isOnline = true
        case (.clientOnline, let client?):
            isAlternating = self.isOnline && self.clients.insert(client).inserted
        case (.clientOffline, let client?):
            isAlternating = self.isOnline && self.clients.remove(client) != nil
        case (.userOffline, nil):
            isAlternating = self.isOnline && self.clients.isEmpty
            self.isOnline = false
        default: isAlternating = false
        }
        if let last, transition.sequence != last + 1 { return "LC-3: \(name) after \(last & 0xFFFFF)" }
        return isAlternating ? nil : "§11.1: \(name) does not alternate"
    }
}
