/// The newest things that control keys have done on a node, so many and no more. A value; time is part of the entries.
struct AuditTrail: Sendable {
    /// Milliseconds within which events of one key are one entry.
    static let span: Int64 = 60_000
    /// Entries among which one is looked for that an event is counted with.
    private static let window = 32

    let capacity: Int
    /// Oldest first.
    private var kept: [AuditEntry] = []

    /// - Parameter capacity: entries, 1 or more.
    init(capacity: Int) {
        self.capacity = capacity
    }

    mutating func add(_ entry: AuditEntry) {
        if entry.action == "event", let index = self.place(of: entry) {
            self.kept[index].count += entry.count
            return
        }
        self.kept.append(entry)
        if self.kept.count > self.capacity { self.kept.removeFirst(self.kept.count - self.capacity) }
    }

    /// Newest first.
    /// - Parameters:
    ///   - domain: only entries of it; nil: all.
    ///   - key: only those of this key; nil: all.
    func newest(_ count: Int, domain: String?, key: String?) -> [AuditEntry] {
        var found: [AuditEntry] = []
        for entry in self.kept.reversed() where domain == nil || entry.domain == domain {
            guard key == nil || entry.key == key else { continue }
            found.append(entry)
            if found.count == count { break }
        }
        return found
    }

    private func place(of entry: AuditEntry) -> Int? {
        self.kept.indices.suffix(Self.window).last { index in
            let other = self.kept[index]
            return other.action == entry.action && other.key == entry.key && other.domain == entry.domain
                && other.address == entry.address && other.isByDashboard == entry.isByDashboard
                && entry.time - other.time < Self.span
        }
    }
}
