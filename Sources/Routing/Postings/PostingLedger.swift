internal import Metrics
internal import Synchronization
package import Wire

/// What this node has handed out of the outbox: an event that comes again, from a node that has taken over or that repeats
/// itself, is dropped.
///
/// Below a sender's floor everything is done with, but what it has sent may still be under way: the bus brings no event that is
/// older than 60 s (SPEC ND-8). So a floor counts two minutes after it was heard of, and what is above is remembered.
package final class PostingLedger: Sendable {
    private struct Lane {
        /// Everything below is dropped.
        var floor: Int64 = 1
        /// Floors that do not count yet, rising, and when they do.
        var coming: [(floor: Int64, at: Int64)] = []
        /// At or above the floor.
        var seen: Set<Int64> = []
    }

    /// Until a floor counts.
    private static let delay = Nanoseconds.seconds(120)
    /// Between floors that are kept until they count.
    private static let resolution = Nanoseconds.seconds(5)
    /// Lanes that are remembered: a stream that is forged or whose lanes were made anew must not grow without bound.
    private static let laneLimit = 1_024
    private let numberLimit: Int
    private let now: @Sendable () -> Int64
    private let lanes = Mutex<[Int64: Lane]>([:])
    private let duplicates = Counter(label: "submergence_outbox_duplicates_total")

    /// - Parameters:
    ///   - numberLimit: numbers of a lane that are remembered, 131,072: a lane that sends more to one node within two minutes
    ///     is forgotten the lowest of, which no sender that holds it repeats (``PostingOptions/window``).
    ///   - now: of a ``ClusterClock``.
    package init(
        numberLimit: Int = 131_072, now: @escaping @Sendable () -> Int64 = { SystemClusterClock().now() }
    ) {
        self.numberLimit = numberLimit
        self.now = now
    }

    /// - Returns: false for one that this node has handed out.
    package func admit(_ mark: PostingMark) -> Bool {
        let now = self.now()
        let isNew = self.lanes.withLock { lanes -> Bool in
            if lanes[mark.stream.code] == nil, lanes.count >= Self.laneLimit, let any = lanes.keys.first {
                lanes[any] = nil
            }
            return self.admit(mark, &lanes[mark.stream.code, default: Lane()], now)
        }
        if !isNew { self.duplicates.increment() }
        return isNew
    }

    /// The same for what another node has sent; an event that is not from the outbox passes.
    ///
    /// - Parameter delivery: gets its place in the recovery log. Of one that is dropped its tally is told.
    package func admit(_ delivery: inout ConnectionIndex.Delivery, of message: BusMessage) -> Bool {
        guard let mark = EventConfirmation.posting(of: message) else { return true }
        guard self.admit(mark) else {
            delivery.tally?.expect(0)
            return false
        }
        if mark.isLogged { delivery.mark = mark.recoveryMark }
        return true
    }

    private func admit(_ mark: PostingMark, _ lane: inout Lane, _ now: Int64) -> Bool {
        let count = lane.coming.prefix { $0.at <= now }.count
        if count > 0 {
            lane.floor = max(lane.floor, lane.coming[count - 1].floor)
            lane.coming.removeFirst(count)
            lane.seen = lane.seen.filter { $0 >= lane.floor }
        }
        let newest = lane.coming.last
        if mark.floor > newest?.floor ?? lane.floor, now + Self.delay - (newest?.at ?? .min / 2) >= Self.resolution {
            lane.coming.append((mark.floor, now + Self.delay))
        }
        guard mark.number >= lane.floor, lane.seen.insert(mark.number).inserted else { return false }
        if lane.seen.count > self.numberLimit {
            let sorted = lane.seen.sorted()
            lane.seen = Set(sorted.dropFirst(sorted.count / 8 + 1))
        }
        return true
    }
}
