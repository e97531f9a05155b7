/// The deadlines that a node has stored and is to finish (SPEC LC-8): which routes are to be settled now.
///
/// Times are the primary's, in milliseconds since 1970. Bounded: who finds it full leaves the route to the sweeps.
package struct GraceKeeper: Sendable {
    private enum Entry {
        /// In the slot that ends at this time.
        case waiting(slot: Int64)
        case settling
    }

    private let options: GraceOptions
    private var entries: [RouteKey: Entry] = [:]
    /// Routes by the end of the slot of time that their deadline lies in: with a longest grace of ten minutes, some
    /// thousands of them.
    private var slots: [Int64: Set<RouteKey>] = [:]

    package init(options: GraceOptions = GraceOptions()) { self.options = options }

    /// Routes that are kept, those that are being settled among them.
    package var count: Int { self.entries.count }

    /// When ``take(at:)`` has something to do next.
    package var nextDue: Int64? { self.slots.keys.min() }

    /// This node has committed the route.
    /// - Parameters:
    ///   - due: its next deadline; nil: nobody is waited for any more.
    ///   - isNew: this node has stored a deadline, so the route is to be kept.
    /// - Returns: false when there is no room for it.
    package mutating func note(_ key: RouteKey, due: Int64?, isNew: Bool) -> Bool {
        switch self.entries[key] {
        // Its settling comes later in the queue of the route, and will tell what is next.
        case .settling: return true
        case .waiting(let slot): self.remove(key, from: slot)
        case nil:
            guard isNew, due != nil else { return true }
            guard self.entries.count < self.options.kept else { return false }
        }
        self.keep(key, due)
        return true
    }

    /// Routes whose time has come; each is to be ``settled(_:due:)``.
    package mutating func take(at now: Int64) -> [RouteKey] {
        var taken: [RouteKey] = []
        for slot in self.slots.keys.filter({ $0 <= now }).sorted() {
            // Sorted: a set has no order, and runs with one seed must be equal.
            taken += (self.slots.removeValue(forKey: slot) ?? []).sorted()
        }
        for key in taken { self.entries[key] = .settling }
        return taken
    }

    /// - Parameter due: the route's next deadline; nil also when settling has failed for good.
    package mutating func settled(_ key: RouteKey, due: Int64?) {
        guard case .settling = self.entries[key] else { return }
        self.keep(key, due)
    }

    /// Every route that is kept, to be settled no more.
    package mutating func removeAll() -> [RouteKey] {
        defer { (self.entries, self.slots) = ([:], [:]) }
        return self.entries.keys.sorted()
    }

    private mutating func keep(_ key: RouteKey, _ due: Int64?) {
        guard let due else { return self.entries[key] = nil }
        // Rounded up: nobody is announced offline early.
        let slot = (due + self.options.resolution - 1) / self.options.resolution * self.options.resolution
        self.entries[key] = .waiting(slot: slot)
        self.slots[slot, default: []].insert(key)
    }

    private mutating func remove(_ key: RouteKey, from slot: Int64) {
        self.slots[slot]?.remove(key)
        if self.slots[slot]?.isEmpty == true { self.slots[slot] = nil }
    }
}
