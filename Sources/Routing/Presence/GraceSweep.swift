/// When a node looks for deadlines that nobody has finished (SPEC LC-8): all nodes together about once a second, each at
/// random, so that they need not know of each other.
package struct GraceSweep: Sendable {
    private let options: GraceOptions
    private var generator: SplitMix64
    private var next: Int64?
    private var isAsking = false
    private var isMore = false
    /// Routes that were found and are not settled yet: at most a page. One that cannot be settled holds up no other.
    private var inFlight: Set<RouteKey> = []

    package init(options: GraceOptions = GraceOptions(), seed: UInt64) {
        self.options = options
        self.generator = SplitMix64(seed: seed)
    }

    /// When ``due(at:nodes:)`` is to be asked again; nil: an answer or a settling is waited for.
    package var nextDue: Int64? { self.isAsking || self.room == 0 ? nil : self.next ?? .min }

    /// How many routes may be asked for.
    package var room: Int { self.options.page - self.inFlight.count }

    /// - Parameter nodes: that are alive, this one among them.
    /// - Returns: whether overdue routes are to be asked for now; then ``found(_:at:)``.
    package mutating func due(at now: Int64, nodes: Int) -> Bool {
        guard let next else {
            self.next = self.later(now, nodes)
            return false
        }
        guard !self.isAsking, self.room > 0, next <= now else { return false }
        self.isAsking = true
        self.next = self.later(now, nodes)
        return true
    }

    /// - Parameters:
    ///   - keys: nil when the store has failed.
    ///   - limit: how many were asked for.
    /// - Returns: routes to be settled, each then ``settled(_:at:)``.
    package mutating func found(_ keys: [RouteKey]?, limit: Int) -> [RouteKey] {
        self.isAsking = false
        guard let keys else { return [] }
        let new = keys.filter { self.inFlight.insert($0).inserted }
        self.isMore = keys.count >= limit && !new.isEmpty
        return new
    }

    package mutating func settled(_ key: RouteKey, at now: Int64) {
        self.inFlight.remove(key)
        // A page was full: the next one is worth a look at once.
        guard self.isMore, self.inFlight.count <= self.options.page / 2 else { return }
        self.isMore = false
        self.next = now
    }

    private mutating func later(_ now: Int64, _ nodes: Int) -> Int64 {
        let mean = self.options.sweepInterval * Int64(max(nodes, 1))
        return now + Int64.random(in: mean / 2...mean + mean / 2, using: &self.generator)
    }
}
