internal import DequeModule

/// Who may go now and who waits, in the order of arrival, both bounded. Owns no task.
struct TurnQueue: Sendable {
    typealias Ticket = Int

    enum Entry: Sendable, Equatable {
        case turn
        case wait(Ticket)
        case full
    }

    private let limit: Int
    private let waitingLimit: Int
    private(set) var running = 0
    private var order: Deque<Ticket> = []
    private var waitingTickets: Set<Ticket> = []
    private var lastTicket = 0

    init(limit: Int, waitingLimit: Int) {
        self.limit = limit
        self.waitingLimit = waitingLimit
    }

    var waiting: Int { self.waitingTickets.count }

    mutating func enter() -> Entry {
        if self.running < self.limit {
            self.running += 1
            return .turn
        }
        guard self.waitingTickets.count < self.waitingLimit else { return .full }
        self.lastTicket += 1
        self.order.append(self.lastTicket)
        self.waitingTickets.insert(self.lastTicket)
        return .wait(self.lastTicket)
    }

    /// A turn has ended.
    /// - Returns: who has it now.
    mutating func leave() -> Ticket? {
        while let next = self.order.popFirst() {
            if self.waitingTickets.remove(next) != nil { return next }
        }
        self.running -= 1
        return nil
    }

    /// Somebody waits no more.
    /// - Returns: false for one that has got its turn.
    mutating func cancel(_ ticket: Ticket) -> Bool {
        guard self.waitingTickets.remove(ticket) != nil else { return false }
        // Those that have gone are skipped when their turn comes; no more of them are kept than wait.
        if self.order.count > 2 * self.waitingTickets.count + 16 {
            self.order.removeAll { !self.waitingTickets.contains($0) }
        }
        return true
    }
}
