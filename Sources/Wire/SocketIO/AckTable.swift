package import NIOCore

/// The replies that one socket still owes us (SOCKETIO §12): bounded, and each with a deadline. Eight bytes, and
/// nothing allocated, while none is awaited.
package struct AckTable<Entry> {
    /// Why a reply cannot be asked for.
    package enum Refusal: Error, Equatable, Sendable {
        /// `limit` replies are outstanding.
        case full
        /// This id is outstanding.
        case duplicate
    }

    @usableFromInline
    struct Outstanding {
        @usableFromInline let entry: Entry
        @usableFromInline let deadline: NIODeadline

        @usableFromInline
        init(entry: Entry, deadline: NIODeadline) {
            self.entry = entry
            self.deadline = deadline
        }
    }

    @usableFromInline var outstanding: [Int64: Outstanding] = [:]

    @inlinable
    package init() {}

    @inlinable
    package var count: Int { self.outstanding.count }

    @inlinable
    package var isEmpty: Bool { self.outstanding.isEmpty }

    /// The earliest deadline; nil while no reply is awaited. Looks at each entry.
    @inlinable
    package var nextDeadline: NIODeadline? {
        // A loop of its own: a key path would be made anew at each call, in a generic type.
        var earliest: NIODeadline?
        for reply in self.outstanding.values { earliest = min(earliest ?? reply.deadline, reply.deadline) }
        return earliest
    }

    /// A reply with this id is awaited from now on.
    ///
    /// - Parameter limit: outstanding replies of one socket (SOCKETIO §18).
    @inlinable
    package mutating func expect(
        _ id: Int64, _ entry: Entry, until deadline: NIODeadline, limit: Int = 1_024
    ) throws(Refusal) {
        guard self.outstanding.count < limit else { throw .full }
        guard self.outstanding[id] == nil else { throw .duplicate }
        self.outstanding[id] = Outstanding(entry: entry, deadline: deadline)
    }

    /// A reply has come.
    /// - Returns: nil where nobody waits for it (any more): ignore it.
    @inlinable
    package mutating func take(_ id: Int64) -> Entry? {
        self.outstanding.removeValue(forKey: id)?.entry
    }

    /// - Returns: those whose time is over, in no order; they end with "operation has timed out".
    package mutating func expire(at now: NIODeadline) -> [Entry] {
        let overdue = self.outstanding.filter { $0.value.deadline <= now }
        for id in overdue.keys { self.outstanding.removeValue(forKey: id) }
        return overdue.values.map(\.entry)
    }

    /// - Returns: all of them: the socket is gone, and they end with an error.
    package mutating func removeAll() -> [Entry] {
        defer { self.outstanding = [:] }
        return self.outstanding.values.map(\.entry)
    }
}

extension AckTable: Sendable where Entry: Sendable {}
extension AckTable.Outstanding: Sendable where Entry: Sendable {}
