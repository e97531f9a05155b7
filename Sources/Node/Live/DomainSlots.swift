/// The domains that traffic is counted for, by number: those that are configured, and one for everything else, so that neither
/// figures nor labels grow with what clients send (SPEC OP-2).
struct DomainSlots: Sendable {
    /// What everything else is called: no domain, as it has no dot and is not `localhost`.
    static let other = "other"
    /// Domains that are counted by themselves; those beyond count as ``other``.
    static let most = 200

    /// By number; ``other`` is the last.
    let names: [String]
    private let slots: [String: Int]

    /// - Parameter domains: canonical.
    init(_ domains: [String]) {
        let known = domains.prefix(Self.most)
        self.names = known + [Self.other]
        self.slots = Dictionary(known.enumerated().map { ($1, $0) }) { first, _ in first }
    }

    var count: Int { self.names.count }

    func slot(of domain: String) -> Int { self.slots[domain] ?? self.names.count - 1 }
}
