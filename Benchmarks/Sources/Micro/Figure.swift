import CCounters

/// What one operation costs.
struct Figure: Codable {
    var name: String
    var nanoseconds: Double
    /// Calls of malloc.
    var allocations: Double
    /// Calls of swift_retain.
    var retains: Double

    private static let clock = ContinuousClock()

    /// - Parameters:
    ///   - batch: operations that one call of `body` does.
    ///   - body: called until a good part of a second is over.
    init(_ name: String, batch: Int = 1, _ body: () -> Void) {
        self.name = name
        // What is made once, and warm caches.
        for _ in 0..<100 { body() }
        var calls = 100
        var elapsed = Duration.zero
        var before = counters_now()
        var after = before
        repeat {
            calls *= 2
            before = counters_now()
            elapsed = Self.clock.measure { for _ in 0..<calls { body() } }
            after = counters_now()
        } while elapsed < .milliseconds(200)
        let operations = Double(calls * batch)
        self.nanoseconds = elapsed / .nanoseconds(1) / operations
        self.allocations = Double(after.allocations - before.allocations) / operations
        self.retains = Double(after.retains - before.retains) / operations
    }
}
