package import Wire

/// What a client has missed, in the order in which it is to be replayed.
package struct RecoveryHistory: Sendable, Equatable {
    package struct Event: Sendable, Equatable {
        package var mark: RecoveryMark
        /// Without an offset.
        package var packet: OutboundPacket
    }

    package private(set) var events: [Event] = []
    /// The client's position once it has been given all of them.
    package private(set) var position: RecoveryPosition
    /// False when something may be missing: then the client is not recovered (SOCKETIO §14.1.6).
    package private(set) var isComplete = true

    /// Chooses from what a log holds; the rules of recovery, whatever the log is made of.
    ///
    /// - Parameters:
    ///   - entries: at least everything of the key, and of no key, that ``RecoveryQuery/isNew(_:)`` holds for, in any order.
    ///   - reachesBack: whether nothing from ``RecoveryQuery/horizon`` on was overwritten before the entries were read, or
    ///     while they were.
    package init(_ entries: [RecoveryEntry], for query: RecoveryQuery, reachesBack: Bool) {
        self.position = query.position
        self.isComplete = reachesBack
        var found: [RecoveryMark: (time: Int64, packet: OutboundPacket)] = [:]
        var holes: Set<RecoveryMark> = []
        var bytes = 0
        for entry in entries where query.isNew(entry) && query.isFor(entry) {
            switch entry.content {
            case .event(let packet):
                if found.updateValue((entry.time, packet), forKey: entry.mark) == nil { bytes += packet.byteCount }
            case .hole:
                if entry.key == nil { self.isComplete = false } else { holes.insert(entry.mark) }
            }
        }
        // An append of unknown outcome leaves a hole, and may have taken place all the same.
        if !holes.isSubset(of: found.keys) { self.isComplete = false }
        if found.count > query.limits.events || bytes > query.limits.bytes { self.isComplete = false }
        guard self.isComplete else { return }

        // By time, but within a stream by number, whatever its times say.
        var order: [(time: Int64, mark: RecoveryMark)] = []
        order.reserveCapacity(found.count)
        for mark in found.keys.sorted(by: { ($0.stream.code, $0.number) < ($1.stream.code, $1.number) }) {
            let time = found[mark]?.time ?? 0
            let isSameStream = order.last?.mark.stream == mark.stream
            order.append((isSameStream ? max(time, order.last?.time ?? time) : time, mark))
        }
        order.sort { ($0.time, $0.mark.stream.code, $0.mark.number) < ($1.time, $1.mark.stream.code, $1.mark.number) }
        for (_, mark) in order {
            guard let packet = found[mark]?.packet else { continue }
            self.events.append(Event(mark: mark, packet: packet))
            _ = self.position.raise(to: mark, now: query.now)
        }
    }
}
