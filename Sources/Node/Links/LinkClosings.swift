import Routing
import Synchronization

/// The closings of Links that this node is at, by the user whose party has gone.
final class LinkClosings: Sendable {
    private struct Entry {
        var count = 0
        var waiters: [@Sendable () -> Void] = []
    }

    private let entries = Mutex<[RouteKey: Entry]>([:])

    func begin(_ key: RouteKey) { self.entries.withLock { $0[key, default: Entry()].count += 1 } }

    func end(_ key: RouteKey) {
        let waiters = self.entries.withLock { entries -> [@Sendable () -> Void] in
            guard var entry = entries[key] else { return [] }
            entry.count -= 1
            entries[key] = entry.count == 0 ? nil : entry
            return entry.count == 0 ? entry.waiters : []
        }
        for waiter in waiters { waiter() }
    }

    /// Runs `body` once none is under way: at once where none is.
    func whenClosed(_ key: RouteKey, _ body: @escaping @Sendable () -> Void) {
        let isWaiting = self.entries.withLock { entries in
            entries[key]?.waiters.append(body) != nil
        }
        if !isWaiting { body() }
    }
}
