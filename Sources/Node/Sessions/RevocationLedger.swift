internal import Metrics
package import Routing
internal import Synchronization

/// Measures how long revocations take, from the decision to the last socket cut on any node (SPEC ID-13).
///
/// The deciding node's own monotonic clock measures everything: each node reports when it has cut its last socket, and the
/// report's way back is part of the figure, so that it is an upper bound. No clocks are compared. A node that does not report
/// within ``patience`` is counted; it has fenced itself by then, and drops its sockets (ND-3).
package final class RevocationLedger: Sendable {
    /// What was decided; a label of the metrics.
    package enum Kind: String, Sendable, CaseIterable {
        case logout, session, kick
    }

    private struct Entry {
        let kind: Kind
        /// Nanoseconds.
        let begun: Int64
        var awaited: Set<NodeID>
        /// Whether ``awaited`` has all nodes yet.
        var isListed = false

        var isDone: Bool { self.isListed && self.awaited.isEmpty }
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        /// The same revocations, until the Links that went with them are closed.
        var links: [UInt64: Entry] = [:]
        var next: UInt64 = 1
    }

    /// Nanoseconds; twice the isolation of ND-3.
    package static let patience = Nanoseconds.seconds(60)
    /// Revocations that are measured at once; beyond it they are carried out all the same.
    private static let capacity = 10_000

    private let now: @Sendable () -> Int64
    private let state = Mutex(State())
    private let seconds = Dictionary(
        uniqueKeysWithValues: Kind.allCases.map {
            ($0, Timer(label: "submergence_revocation_seconds", dimensions: [("kind", $0.rawValue)]))
        })
    private let linkSeconds = Dictionary(
        uniqueKeysWithValues: Kind.allCases.map {
            ($0, Timer(label: "submergence_link_revocation_seconds", dimensions: [("kind", $0.rawValue)]))
        })
    private let linksSilent = Counter(label: "submergence_link_revocation_reports_missing_total")
    private let cut = Counter(label: "submergence_revocation_sockets_cut_total")
    private let silent = Counter(label: "submergence_revocation_reports_missing_total")

    /// - Parameter now: nanoseconds of a clock that only runs forward.
    package init(now: @escaping @Sendable () -> Int64 = { SystemClusterClock().now() }) {
        self.now = now
    }

    /// The moment of a decision.
    package var moment: Int64 { self.now() }

    /// A revocation is about to be carried to the node itself, and then to others.
    /// - Returns: its number; nil where too many are measured.
    package func open(_ kind: Kind, begun: Int64, local: NodeID) -> UInt64? {
        self.expire()
        return self.state.withLock { state in
            guard state.entries.count < Self.capacity, state.links.count < Self.capacity else { return nil }
            defer { state.next += 1 }
            state.entries[state.next] = Entry(kind: kind, begun: begun, awaited: [local])
            state.links[state.next] = Entry(kind: kind, begun: begun, awaited: [local])
            return state.next
        }
    }

    /// The other nodes that are to report.
    package func expect(_ nodes: [NodeID], for number: UInt64) {
        for part in [\State.entries, \State.links] {
            self.change(number, part) { entry in
                entry.isListed = true
                entry.awaited.formUnion(nodes)
            }
        }
    }

    /// A node has cut its last socket, or is gone.
    package func note(_ number: UInt64, from node: NodeID, cut: Int) {
        if cut > 0 { self.cut.increment(by: cut) }
        self.change(number, \.entries) { $0.awaited.remove(node) }
    }

    /// A node has closed the last Link that went with it, or is gone.
    package func noteLinks(_ number: UInt64, from node: NodeID) {
        self.change(number, \.links) { $0.awaited.remove(node) }
    }

    private func change(
        _ number: UInt64, _ part: WritableKeyPath<State, [UInt64: Entry]>, _ body: (inout Entry) -> Void
    ) {
        let done = self.state.withLock { state -> Entry? in
            guard var entry = state[keyPath: part][number] else { return nil }
            body(&entry)
            state[keyPath: part][number] = entry.isDone ? nil : entry
            return entry.isDone ? entry : nil
        }
        guard let done else { return }
        let timers = part == \State.links ? self.linkSeconds : self.seconds
        timers[done.kind]?.recordNanoseconds(self.now() - done.begun)
    }

    /// Gives up waiting for reports that did not come.
    package func expire() {
        let now = self.now()
        let (missing, missingLinks) = self.state.withLock { state in
            (Self.expire(&state.entries, at: now), Self.expire(&state.links, at: now))
        }
        if missing > 0 { self.silent.increment(by: missing) }
        if missingLinks > 0 { self.linksSilent.increment(by: missingLinks) }
    }

    private static func expire(_ entries: inout [UInt64: Entry], at now: Int64) -> Int {
        let late = entries.filter { now - $0.value.begun >= Self.patience }
        for number in late.keys { entries[number] = nil }
        return late.values.reduce(0) { $0 + $1.awaited.count }
    }

    /// Revocations whose last report has not come yet.
    package var openCount: Int { self.state.withLock(\.entries.count) }

    /// Revocations whose Links are not known to be closed everywhere.
    package var openLinkCount: Int { self.state.withLock(\.links.count) }
}
