internal import DequeModule
internal import Synchronization

/// Links that connections of this node signal over, so that a candidate costs no read (SPEC LK-10).
///
/// An entry goes when a `link` message names it, when a connection of one of its parties leaves this node (the message may not
/// come here any more then), and after five minutes. A read that was under way then is not kept.
package final class LinkCache: Sendable {
    package enum Look: Sendable, Equatable {
        case found(LinkRecord)
        /// To be read; hand the ticket in with what was read.
        case read(Ticket)
    }

    /// One read that is under way.
    package struct Ticket: Sendable, Equatable {
        fileprivate let number: UInt64
    }

    private struct Entry {
        var record: LinkRecord
        let expires: Int64
        let order: UInt64
    }

    private struct State {
        var entries: [LinkKey: Entry] = [:]
        /// Oldest first; entries that were replaced stay until they come up.
        var order: Deque<(key: LinkKey, order: UInt64)> = []
        var users: [RouteKey: Set<LinkKey>] = [:]
        /// Reads under way, with whoever asked; bounded by the connections, each of which has one at a time.
        var reads: [UInt64: (key: LinkKey, user: RouteKey)] = [:]
        var count: UInt64 = 0
    }

    private let capacity: Int
    private let lifetime: Int64
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())

    /// - Parameters:
    ///   - capacity: entries, 20,480.
    ///   - lifetime: 5 min, in nanoseconds.
    ///   - now: nanoseconds of a clock that only runs forward.
    package init(
        capacity: Int = 20_480, lifetime: Int64 = Nanoseconds.seconds(300),
        now: @escaping @Sendable () -> Int64 = { SystemClusterClock().now() }
    ) {
        self.capacity = capacity
        self.lifetime = lifetime
        self.now = now
    }

    package var count: Int { self.state.withLock(\.entries.count) }

    /// - Parameters:
    ///   - user: of the connection that wants to know.
    ///   - isTrusted: whether messages about Links have come through of late (SPEC ND-3, ND-11); else nothing is found.
    package func look(_ key: LinkKey, for user: RouteKey, isTrusted: Bool = true) -> Look {
        let now = self.now()
        return self.state.withLock { state in
            if isTrusted, let entry = state.entries[key] {
                if entry.expires > now { return .found(entry.record) }
                Self.remove(key, &state)
            }
            state.count += 1
            state.reads[state.count] = (key, user)
            return .read(Ticket(number: state.count))
        }
    }

    /// Ends a read. What was read is kept, unless it has changed meanwhile, or who asked has left. What is not open is not kept:
    /// it may be opened again.
    /// - Parameter record: nil also where the read has failed.
    package func keep(_ record: LinkRecord?, _ ticket: Ticket) {
        let now = self.now()
        self.state.withLock { state in
            guard let read = state.reads.removeValue(forKey: ticket.number), let record, record.state == .open,
                record.key == read.key
            else { return }
            Self.remove(read.key, &state)
            while state.entries.count >= self.capacity, let oldest = state.order.popFirst() {
                if state.entries[oldest.key]?.order == oldest.order { Self.remove(oldest.key, &state) }
            }
            state.count += 1
            state.entries[read.key] = Entry(record: record, expires: now + self.lifetime, order: state.count)
            state.order.append((read.key, state.count))
            if state.order.count > 2 * self.capacity {
                state.order.removeAll { state.entries[$0.key]?.order != $0.order }
            }
            for side in [0, 1] { state.users[record.key(of: side), default: []].insert(read.key) }
        }
    }

    /// The Link has changed.
    package func drop(_ key: LinkKey) {
        self.state.withLock { state in
            state.reads = state.reads.filter { $0.value.key != key }
            Self.remove(key, &state)
        }
    }

    /// A connection of the user has left this node.
    package func drop(of user: RouteKey) {
        self.state.withLock { state in
            if !state.reads.isEmpty { state.reads = state.reads.filter { $0.value.user != user } }
            for key in state.users[user] ?? [] { Self.remove(key, &state) }
        }
    }

    /// Messages were lost (SPEC ND-9).
    package func removeAll() {
        self.state.withLock { state in
            state.reads = [:]
            state.entries = [:]
            state.order = []
            state.users = [:]
        }
    }

    private static func remove(_ key: LinkKey, _ state: inout State) {
        guard let entry = state.entries.removeValue(forKey: key) else { return }
        for side in [0, 1] {
            let user = entry.record.key(of: side)
            state.users[user]?.remove(key)
            if state.users[user]?.isEmpty == true { state.users[user] = nil }
        }
    }
}
