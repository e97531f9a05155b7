import Synchronization
package import Wire

/// The requests to all nodes that are under way. Safe from any thread.
package final class ClusterRequests: Sendable {
    /// As many requests are under way as there may be.
    package struct Full: Error, Equatable, Sendable {}

    private struct Entry {
        var machine: ClusterRequestMachine
        var waiter: CheckedContinuation<ClusterReplies, Never>?
        /// Its time was over before anybody waited.
        var isOver = false
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var next: UInt64 = 1
    }

    private let state = Mutex(State())
    private let limit: Int

    /// - Parameter limit: requests under way at once.
    package init(limit: Int = 10_000) {
        self.limit = limit
    }

    package var count: Int { self.state.withLock(\.entries.count) }

    /// - Returns: the request's name, not 0.
    package func begin(loops: Int) throws(Full) -> UInt64 {
        let id: UInt64? = self.state.withLock { state in
            guard state.entries.count < self.limit else { return nil }
            defer { state.next += 1 }
            state.entries[state.next] = Entry(machine: ClusterRequestMachine(loops: loops))
            return state.next
        }
        guard let id else { throw Full() }
        return id
    }

    package func ask(_ nodes: [NodeID], _ id: UInt64) { self.update(id) { $0.ask(nodes) } }

    /// Reports for requests that are over are ignored.
    package func report(
        _ id: UInt64, _ participant: ClusterRequestMachine.Participant, expected: Int?, items: [RoomReply.Item?]
    ) {
        self.update(id) { $0.report(participant, expected: expected, items: items) }
    }

    /// The node is not waited for, in this request or, without one, in any.
    package func depart(_ node: NodeID, from id: UInt64? = nil) {
        if let id { return self.update(id) { $0.depart(node) } }
        for id in self.state.withLock({ Array($0.entries.keys) }) { self.update(id) { $0.depart(node) } }
    }

    /// The nodes that requests wait for.
    package var awaited: Set<NodeID> {
        self.state.withLock { state in Set(state.entries.values.flatMap(\.machine.silent)) }
    }

    /// Waits until the request is complete or its time is over; then it is forgotten.
    package func wait(_ id: UInt64, timeout: Duration) async -> ClusterReplies {
        await withTaskGroup(of: ClusterReplies?.self) { group in
            group.addTask {
                await withCheckedContinuation { continuation in
                    let ready: ClusterReplies? = self.state.withLock { state in
                        guard var entry = state.entries[id] else { preconditionFailure("a request is waited for once") }
                        if entry.isOver || entry.machine.isComplete {
                            state.entries[id] = nil
                            return ClusterReplies(entry.machine)
                        }
                        entry.waiter = continuation
                        state.entries[id] = entry
                        return nil
                    }
                    if let ready { continuation.resume(returning: ready) }
                }
            }
            group.addTask {
                // Cancelled: the request has come to its end, or its caller gives up. Either way it ends now.
                try? await Task.sleep(for: timeout)
                self.end(id)
                return nil
            }
            var replies: ClusterReplies?
            while let result = await group.next() {
                guard let result else { continue }
                replies = result
                group.cancelAll()
            }
            guard let replies else {
                preconditionFailure("a request is waited for once, and its end resumes the waiter")
            }
            return replies
        }
    }

    private func end(_ id: UInt64) {
        let waiting: Entry? = self.state.withLock { state in
            guard let entry = state.entries[id] else { return nil }
            guard entry.waiter != nil else {
                state.entries[id]?.isOver = true
                return nil
            }
            state.entries[id] = nil
            return entry
        }
        if let waiting { waiting.waiter?.resume(returning: ClusterReplies(waiting.machine)) }
    }

    private func update(_ id: UInt64, _ body: (inout ClusterRequestMachine) -> Void) {
        let done: Entry? = self.state.withLock { state in
            guard var entry = state.entries[id] else { return nil }
            body(&entry.machine)
            guard entry.machine.isComplete, entry.waiter != nil else {
                state.entries[id] = entry
                return nil
            }
            state.entries[id] = nil
            return entry
        }
        if let done { done.waiter?.resume(returning: ClusterReplies(done.machine)) }
    }
}
