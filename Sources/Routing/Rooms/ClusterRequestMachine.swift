package import Wire

/// What one request to all nodes has brought so far (SOCKETIO §13): who still owes how much, and when that is all. A value:
/// holds no clock and wakes nobody.
package struct ClusterRequestMachine {
    /// Who contributes: the loops of this node by their number, and other nodes.
    package enum Participant: Hashable, Sendable {
        case loop(Int)
        case node(NodeID)
    }

    /// What is kept of one request.
    package struct Limits: Sendable, Equatable {
        package var items = 100_000
        /// 64 MiB.
        package var bytes = 64 << 20

        package init() {}
    }

    private struct Progress {
        var expected: Int?
        var received = 0

        var isComplete: Bool { self.expected.map { self.received >= $0 } ?? false }
    }

    private let limits: Limits
    private var progress: [Participant: Progress] = [:]
    private var areNodesKnown = false
    private var bytes = 0
    package private(set) var items: [RoomReply.Item] = []
    /// Contributions that exceeded the limits and were not kept.
    package private(set) var dropped = 0
    /// Contributions of which nothing will come: their socket is gone.
    package private(set) var withoutAnswer = 0
    /// Nodes that departed before they had answered in full.
    package private(set) var departed: [NodeID] = []

    package init(loops: Int, limits: Limits = Limits()) {
        self.limits = limits
        for loop in 0..<loops { self.progress[.loop(loop)] = Progress() }
    }

    /// Everybody has contributed what was announced.
    package var isComplete: Bool { self.areNodesKnown && self.progress.values.allSatisfy(\.isComplete) }

    /// The nodes that still owe something, in the order of their ids.
    package var silent: [NodeID] {
        self.progress.compactMap { participant, progress in
            if case .node(let id) = participant, !progress.isComplete { id } else { nil }
        }.sorted()
    }

    /// Announced contributions that have not come.
    package var missing: Int {
        self.progress.values.reduce(0) { $0 + max(($1.expected ?? 0) - $1.received, 0) }
    }

    /// The nodes that were asked, besides this one. Reports may have come before: a node can be quicker than this call.
    package mutating func ask(_ nodes: [NodeID]) {
        self.areNodesKnown = true
        for node in nodes where self.progress[.node(node)] == nil { self.progress[.node(node)] = Progress() }
    }

    /// What comes of a node that has departed is kept, but nobody waits for the rest of it.
    /// - Parameter expected: contributions in all; nil where that was said already.
    package mutating func report(_ participant: Participant, expected: Int?, items: [RoomReply.Item?]) {
        if !self.hasDeparted(participant) {
            var progress = self.progress[participant] ?? Progress()
            if let expected { progress.expected = expected }
            progress.received += items.count
            self.progress[participant] = progress
        }
        for item in items {
            guard let item else {
                self.withoutAnswer += 1
                continue
            }
            guard self.items.count < self.limits.items, self.bytes + item.byteCount <= self.limits.bytes else {
                self.dropped += 1
                continue
            }
            self.bytes += item.byteCount
            self.items.append(item)
        }
    }

    /// The node is dead or gone, or the request did not reach it: it is not waited for.
    package mutating func depart(_ node: NodeID) {
        guard let progress = self.progress.removeValue(forKey: .node(node)), !progress.isComplete else { return }
        self.departed.append(node)
    }

    private func hasDeparted(_ participant: Participant) -> Bool {
        if case .node(let id) = participant { self.departed.contains(id) } else { false }
    }
}
