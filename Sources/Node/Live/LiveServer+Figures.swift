import NIOCore
import Routing
import Synchronization

/// What the loops say of themselves, for metrics and operators.
extension LiveServer {
    /// Connections in `/` and their users, a second old at most.
    var counts: (connections: Int, users: Int) { self.lastSample.withLock { ($0.connections, $0.users) } }

    /// What the loops said about a second ago.
    var figures: LiveFigures { self.lastSample.withLock(\.self) }

    /// About once a second.
    func sample() async {
        var next = LiveFigures(domains: self.domains)
        let pulses = self.pulses.withLock(\.self)
        for (loop, pulse) in zip(self.loops.withLock(\.self), pulses) {
            let reading = try? await loop.eventLoop.submit {
                let state = loop.value
                self.metrics.add(state.takeCounters())
                let figures = LiveFigures.Loop(
                    number: state.number, sessions: state.sessions.count, connections: state.table.connectionCount,
                    users: state.table.userCount, lag: pulse.takeLag(at: .now(), for: .figures))
                return (figures, state.traffic, state.rooms.counts.rooms)
            }.get()
            // The loops are ending.
            guard let (figures, traffic, rooms) = reading else { return }
            next.loops.append(figures)
            next.rooms += rooms
            for (slot, part) in traffic.enumerated() { next.traffic[slot].add(part) }
        }
        for (slot, count) in self.setup.actionTally.readings.enumerated() { next.traffic[slot].counts.actions = count }
        next.pending = self.currentNode?.admission.count ?? 0
        let last = self.lastSample.withLock { last in
            next.rates = last.rates
            next.rates.add(next.traffic, at: .now())
            defer { last = next }
            return last
        }
        self.domainMetrics.record(next.traffic, since: last.traffic)
        self.addresses.sweep()
        self.metrics.sample(
            connections: next.connections, users: next.users, rooms: next.rooms, pendingConnects: next.pending,
            addresses: self.addresses.count)
    }
}
