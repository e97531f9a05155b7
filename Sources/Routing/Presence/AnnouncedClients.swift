/// The clients of a user that are announced as online, each with its deadline when Offline is deferred (SPEC LC-8; nil = no
/// grace running).
///
/// Mostly one or two: sorted in an array, which takes a third of a dictionary's memory.
package struct AnnouncedClients: Sendable, Equatable {
    package typealias Element = (key: String, value: Int64?)

    private struct Entry: Sendable, Equatable {
        let client: String
        var deadline: Int64?
    }

    private var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { self.entries.isEmpty }
    package var count: Int { self.entries.count }
    package var keys: [String] { self.entries.map(\.client) }
    package var values: [Int64?] { self.entries.map(\.deadline) }

    /// The earliest deadline.
    package var earliestDeadline: Int64? {
        var earliest: Int64?
        for case let deadline? in self.entries.lazy.map(\.deadline) {
            earliest = Swift.min(earliest ?? deadline, deadline)
        }
        return earliest
    }

    /// As of a dictionary: nil for a client that is not announced, and nobody's deadline for one without a grace.
    package subscript(client: String) -> Int64?? {
        get {
            let (index, isFound) = self.place(of: client)
            return isFound ? .some(self.entries[index].deadline) : nil
        }
        set {
            if let newValue {
                self.updateValue(newValue, forKey: client)
            } else {
                self.removeValue(forKey: client)
            }
        }
    }

    /// - Returns: what it was.
    @discardableResult
    package mutating func updateValue(_ deadline: Int64?, forKey client: String) -> Int64?? {
        let (index, isFound) = self.place(of: client)
        if isFound {
            defer { self.entries[index].deadline = deadline }
            return .some(self.entries[index].deadline)
        }
        // One at a time: most users have a single one for good.
        if self.entries.isEmpty { self.entries.reserveCapacity(1) }
        self.entries.insert(Entry(client: client, deadline: deadline), at: index)
        return nil
    }

    package mutating func removeValue(forKey client: String) {
        let (index, isFound) = self.place(of: client)
        guard isFound else { return }
        self.entries.remove(at: index)
        if self.entries.isEmpty { self.entries = [] }  // gives back its memory
    }

    private func place(of client: String) -> (index: Int, isFound: Bool) {
        var (low, high) = (0, self.entries.count)
        while low < high {
            let middle = (low + high) / 2
            if self.entries[middle].client < client { low = middle + 1 } else { high = middle }
        }
        return (low, low < self.entries.count && self.entries[low].client == client)
    }
}

extension AnnouncedClients: Sequence {
    /// In the order of their names.
    package func makeIterator() -> some IteratorProtocol<Element> {
        self.entries.lazy.map { (key: $0.client, value: $0.deadline) }.makeIterator()
    }
}

extension AnnouncedClients: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, Int64?)...) {
        for (client, deadline) in elements { self.updateValue(deadline, forKey: client) }
    }
}
