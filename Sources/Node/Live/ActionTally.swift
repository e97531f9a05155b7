import Synchronization

/// Counts actions by domain, over all transports. Lock-free.
final class ActionTally: Sendable {
    private final class Cell: Sendable {
        let count = Atomic<Int>(0)
    }

    let domains: DomainSlots
    private let cells: [Cell]

    init(_ domains: DomainSlots) {
        self.domains = domains
        self.cells = domains.names.map { _ in Cell() }
    }

    func count(_ domain: String) { self.cells[self.domains.slot(of: domain)].count.add(1, ordering: .relaxed) }

    /// By the domain's number.
    var readings: [Int] { self.cells.map { $0.count.load(ordering: .relaxed) } }
}
