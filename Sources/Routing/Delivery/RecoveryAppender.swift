internal import Synchronization
package import Wire

/// Numbers the sends of one incarnation and logs them, with what is known to be missing.
package final class RecoveryAppender: Sendable {
    private struct State {
        var number: Int64 = 0
        var time = Int64.min
        var holes: RecoveryHoles
        /// Places that did not take holes either: no event waits for them until they do.
        var suspended: Set<String> = []
    }

    /// Between attempts to write holes when nothing else is logged.
    private static let pause = Nanoseconds.milliseconds(500)
    /// Attempts to write the holes of a failed append before its events are delivered.
    private static let attempts = 2

    private let sending: RecoverySending
    private let stream: RecoveryStream
    private let state: Mutex<State>
    private let signal = WakeSignal()

    package init(node: NodeID, sending: RecoverySending, kind: RecoveryStream.Kind = .identity) {
        self.sending = sending
        self.stream = node.stream(kind)
        self.state = Mutex(State(holes: RecoveryHoles(stream: node.stream(kind))))
    }

    package var now: Int64 { self.sending.clusterTime() }

    /// The next mark and the time that goes with it. Per user in the order of its sends.
    package func next() -> (mark: RecoveryMark, time: Int64) {
        let now = self.now
        return self.state.withLock { state in
            state.number += 1
            state.time = max(state.time, now)
            return (RecoveryMark(stream: self.stream, number: state.number), state.time)
        }
    }

    /// Returns when the events may be delivered.
    ///
    /// Events that could not be logged leave holes. These are written at once, before the routes are read again: a client
    /// that comes back later than that reading finds them, and is not recovered. A place that does not take them either holds
    /// up no further events; until it does, a client may come back without being told.
    /// - Returns: whether all of them are in the log for certain.
    package func append(_ entries: [RecoveryEntry], to place: String) async -> Bool {
        if await self.write(entries, to: place) { return true }
        let isSuspended = self.state.withLock { $0.suspended.contains(place) }
        self.state.withLock { $0.holes.add(entries, at: place) }
        var isWritten = false
        if !isSuspended {
            for _ in 0..<Self.attempts where !isWritten {
                isWritten = await self.write([], to: place, keys: entries.compactMap(\.key))
            }
        }
        if !isWritten {
            self.state.withLock { _ = $0.suspended.insert(place) }
            self.signal.raise()
        }
        return false
    }

    /// The same for what is sent again until it is in the log, and to nobody before: it leaves no holes.
    package func appendOnly(_ entries: [RecoveryEntry], to place: String) async -> Bool {
        await self.write(entries, to: place)
    }

    /// - Parameter keys: whose holes have to get there as well; those of the entries' keys do in any case.
    private func write(_ entries: [RecoveryEntry], to place: String, keys: [RouteKey] = []) async -> Bool {
        let pending = self.state.withLock {
            $0.holes.pending(at: place, keys: entries.isEmpty ? keys : entries.compactMap(\.key))
        }
        if pending.isEmpty, entries.isEmpty { return true }
        do throws(StoreError) {
            try await self.sending.log.append(pending + entries, to: place)
        } catch {
            return false
        }
        if !pending.isEmpty { self.state.withLock { $0.holes.settle(pending, at: place) } }
        return true
    }

    /// An event was sent that is not to be logged any more.
    package func miss(_ entry: RecoveryEntry, at place: String) {
        self.state.withLock { $0.holes.add(CollectionOfOne(entry), at: place) }
        self.signal.raise()
    }

    /// An event was sent, and nobody knows whether somebody missed it: its route could not be read.
    package func doubt() {
        let (mark, time) = self.next()
        self.state.withLock { $0.holes.doubt(self.sending.log.places, number: mark.number, time: time) }
        self.signal.raise()
    }

    /// Writes holes that no event takes along, until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            let places = self.state.withLock { $0.suspended.union($0.holes.places).sorted() }
            if places.isEmpty {
                await self.signal.wait()
                continue
            }
            await self.sending.clock.sleep(until: self.sending.clock.now() + Self.pause)
            for place in places where !Task.isCancelled {
                guard await self.write([], to: place) else { continue }
                self.state.withLock { _ = $0.suspended.remove(place) }
            }
        }
    }
}
