/// What one connection was entitled to and what it got, over cuts and returns.
///
/// A *stretch* is the time over which the server promised a whole sequence: from a CONNECT to the loss of the connection,
/// and on over every return that the server answered with `recovered`. Any other return begins a stretch.
struct DeliveryLedger: Equatable, Sendable {
    private var streams: [Int: StreamLedger] = [:]
    private var stretch = 0
    private var since: UInt64 = 0
    private var isRecovered = false
    private(set) var received = 0
    private(set) var duplicates = 0
    private(set) var reordered = 0

    /// CONNECT was answered, and not with `recovered`.
    mutating func beginAfresh(at now: UInt64) {
        self.stretch += 1
        self.since = now
        self.isRecovered = false
    }

    /// CONNECT was answered with the pid that was presented.
    mutating func recovered() { self.isRecovered = true }

    /// - Parameters:
    ///   - stream: number of the publisher's connection.
    ///   - number: of the event within that stream, for this connection's user.
    mutating func receive(stream: Int, number: Int) -> StreamLedger.Verdict {
        let verdict = self.streams[stream, default: StreamLedger(stretch: self.stretch, since: self.since)]
            .receive(number, stretch: self.stretch, since: self.since, isRecovered: self.isRecovered)
        self.received += 1
        switch verdict {
        case .inOrder, .afterGap: break
        case .late: self.reordered += 1
        case .duplicate: self.duplicates += 1
        }
        return verdict
    }

    /// Compares with what was published.
    ///
    /// - Parameters:
    ///   - user: this connection's user.
    ///   - isLive: whether it is connected now, with everything settled.
    func audit(_ logs: [PublishLog], user: Int, isLive: Bool) -> Missing {
        var missing = Missing()
        let current = isLive ? (stretch: self.stretch, since: self.since) : nil
        for log in logs {
            // Of a stream that never came all is missing that was sent since the present stretch began.
            let ledger = self.streams[log.stream] ?? StreamLedger(stretch: self.stretch, since: self.since)
            let gaps = ledger.missing(of: log.count(user: user), current: current, isRecovered: self.isRecovered)
            for gap in gaps {
                // From the newest on: whatever is older than the first that was not owed was not owed either.
                for number in gap.numbers.reversed() {
                    let event = log.event(user: user, number: number)
                    guard event.sentAt > gap.sentAfter else { break }
                    missing.add(event.fate, isRecovered: gap.isRecovered)
                }
            }
        }
        return missing
    }

    /// Events that did not come, by what their publisher was told.
    struct Missing: Equatable, Sendable {
        /// The receipt promised delivery or storage.
        var promised = 0
        /// Of those, at connections that were told `recovered`.
        var promisedAtRecovered = 0
        /// The receipt said that nobody was there, but the connection was told `recovered`.
        var absentAtRecovered = 0
        /// The receipt said that nobody was there.
        var absent = 0
        /// The receipt said that somebody may have missed it, or there was none.
        var unpromised = 0

        mutating func add(_ fate: PublishLog.Fate, isRecovered: Bool) {
            switch fate {
            case .promised:
                self.promised += 1
                if isRecovered { self.promisedAtRecovered += 1 }
            case .absent:
                if isRecovered { self.absentAtRecovered += 1 } else { self.absent += 1 }
            case .incomplete, .unknown: self.unpromised += 1
            }
        }

        static func += (left: inout Missing, right: Missing) {
            left.promised += right.promised
            left.promisedAtRecovered += right.promisedAtRecovered
            left.absentAtRecovered += right.absentAtRecovered
            left.absent += right.absent
            left.unpromised += right.unpromised
        }
    }
}
