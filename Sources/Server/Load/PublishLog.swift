/// The publisher's side of the truth: what one publisher's connection wrote to whom, when, and what it was told.
struct PublishLog: Sendable, Equatable {
    /// What is known of an event that was written.
    enum Fate: UInt8, Sendable {
        /// No ack came.
        case unknown
        /// The receipt said that it was delivered or stored for somebody.
        case promised
        /// The receipt said that nobody was there.
        case absent
        /// The receipt said that somebody may have missed it, or that it failed.
        case incomplete
    }

    struct Event: Equatable, Sendable {
        let sentAt: UInt64
        let fate: Fate
    }

    /// Number of the publisher's connection: order is promised for one connection of a sender, so each is a stream.
    let stream: Int
    /// By user and number: send time in microseconds, the fate in the lowest two bits.
    private var events: [[UInt64]]

    init(stream: Int, users: Int) {
        self.stream = stream
        self.events = Array(repeating: [], count: users)
    }

    /// - Returns: the event's number within the stream.
    mutating func write(user: Int, at now: UInt64) -> Int {
        self.events[user].append(now << 2)
        return self.events[user].count - 1
    }

    mutating func settle(user: Int, number: Int, _ fate: Fate) {
        self.events[user][number] = self.events[user][number] & ~3 | UInt64(fate.rawValue)
    }

    func count(user: Int) -> Int { self.events[user].count }

    func event(user: Int, number: Int) -> Event {
        let packed = self.events[user][number]
        guard let fate = Fate(rawValue: UInt8(packed & 3)) else { preconditionFailure("two bits, four fates") }
        return Event(sentAt: packed >> 2, fate: fate)
    }

    /// How many events have each fate.
    func fates() -> [Fate: Int] {
        var counts: [Fate: Int] = [:]
        for packed in self.events.joined() { counts[Fate(rawValue: UInt8(packed & 3)) ?? .unknown, default: 0] += 1 }
        return counts
    }
}
