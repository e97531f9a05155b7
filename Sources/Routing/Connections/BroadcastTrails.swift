package import Wire

/// Which broadcasts to `/` one event loop has been given, domain by domain: all of a domain, whatever rooms they were for,
/// so that one position holds for all its devices. Loop-bound.
package final class BroadcastTrails {
    private struct Entry {
        /// Held by the devices of the domain: without one there is nobody whose offset it is in.
        weak var trail: RecoveryTrail?
    }

    private let tracking: RecoveryTracking
    /// One per domain that ever had a device here: as many as the service has domains.
    private var domains: [String: Entry] = [:]

    package init(tracking: RecoveryTracking) { self.tracking = tracking }

    func trail(of domain: String) -> RecoveryTrail {
        if let trail = self.domains[domain]?.trail { return trail }
        let trail = RecoveryTrail(tracking: self.tracking)
        self.domains[domain] = Entry(trail: trail)
        return trail
    }

    /// - Returns: false for a broadcast that the loop was given before.
    package func raise(_ domain: String, to mark: RecoveryMark) -> Bool {
        self.domains[domain]?.trail?.raise(to: mark) ?? true
    }
}

@available(*, unavailable) extension BroadcastTrails: Sendable {}
