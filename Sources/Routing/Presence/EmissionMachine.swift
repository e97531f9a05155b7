internal import DequeModule

/// Decides which transition's handlers run next (SPEC LC-3): per key in `seq` order and one at a time, different keys
/// side by side but bounded; then the acknowledgement.
package struct EmissionMachine: Sendable {
    package typealias CallID = Int

    package enum Action: Sendable, Equatable {
        /// Call the handlers, then ``finished(_:)``. `isRunning(call)` tells whether it is still awaited.
        case call(CallID, RouteKey, RouteTransition)
        /// Commit `acknowledge(through:)`, then ``acknowledged(_:)``.
        /// - Parameter known: the newest document that this node committed, to save the read.
        case acknowledge(RouteKey, through: Int64, known: RouteDocument)
    }

    private struct Entry {
        var queue: Deque<RouteTransition> = []
        /// Offers repeat what is not acknowledged yet; only newer entries count.
        var newest: Int64 = .min
        var call: CallID?
        /// Handled and not acknowledged, with how many they are.
        var handled: Int64?
        var unacknowledged = 0
        var isAcknowledging = false
        var document: RouteDocument
    }

    private struct Call {
        let key: RouteKey
        let sequence: Int64
        let deadline: Int64
    }

    private let node: NodeID
    private let options: EmissionOptions
    private var entries: [RouteKey: Entry] = [:]
    private var ready: Deque<RouteKey> = []
    private var acknowledgements: Deque<RouteKey> = []
    private var calls: [CallID: Call] = [:]
    private var callCount = 0
    private var overdue = 0

    package init(node: NodeID, options: EmissionOptions = EmissionOptions()) {
        self.node = node
        self.options = options
    }

    /// Everything that this node owns has run and is acknowledged.
    package var isIdle: Bool { self.entries.isEmpty }

    /// Transitions that wait for their handlers.
    package var waiting: Int { self.entries.values.reduce(0) { $0 + $1.queue.count } }

    /// A document as this node committed it; per key in the order of the commits.
    package mutating func offer(_ document: RouteDocument) {
        let own = document.outbox.filter { $0.owner == self.node }
        guard
            var entry = self.entries.removeValue(forKey: document.key)
                ?? (own.isEmpty ? nil : Entry(document: document))
        else { return }
        entry.document = document
        let isWaiting = !entry.queue.isEmpty
        for transition in own where transition.sequence > entry.newest {
            entry.queue.append(transition)
            entry.newest = transition.sequence
        }
        if !isWaiting, !entry.queue.isEmpty, entry.call == nil { self.ready.append(document.key) }
        self.entries[document.key] = entry
    }

    /// - Parameter mayCall: false while the node is silenced (ND-3): no handler is started then.
    package mutating func next(now: Int64, mayCall: Bool) -> [Action] {
        // Sorted: a dictionary has no order, and runs with one seed must be equal.
        for id in self.calls.filter({ $0.value.deadline <= now }).keys.sorted() {
            guard self.overdue < self.options.overdueHandlers, let call = self.calls.removeValue(forKey: id) else {
                break
            }
            self.overdue += 1
            self.end(call)
        }
        var actions: [Action] = []
        while let key = self.acknowledgements.popFirst() {
            self.update(key) { entry in
                guard let handled = entry.handled else { return }
                actions.append(.acknowledge(key, through: handled, known: entry.document))
                entry.handled = nil
                entry.unacknowledged = 0
            }
        }
        while mayCall, self.calls.count < self.options.handlers, let key = self.ready.popFirst() {
            let id = self.callCount + 1
            var next: RouteTransition?
            self.update(key) { entry in
                next = entry.queue.popFirst()
                if next != nil { entry.call = id }
            }
            guard let transition = next else { continue }
            self.callCount = id
            self.calls[id] = Call(
                key: key, sequence: transition.sequence, deadline: now + self.options.handlerTimeout)
            actions.append(.call(id, key, transition))
        }
        return actions
    }

    package mutating func finished(_ id: CallID) {
        guard let call = self.calls.removeValue(forKey: id) else {
            self.overdue -= 1
            return
        }
        self.end(call)
    }

    /// The acknowledgement is committed; what the same write announced anew was offered before.
    package mutating func acknowledged(_ key: RouteKey) {
        self.update(key) { $0.isAcknowledging = false }
        self.settle(key)
    }

    private mutating func end(_ call: Call) {
        var isMore = false
        self.update(call.key) { entry in
            entry.call = nil
            entry.handled = call.sequence
            entry.unacknowledged += 1
            isMore = !entry.queue.isEmpty
        }
        if isMore { self.ready.append(call.key) }
        self.settle(call.key)
    }

    private mutating func settle(_ key: RouteKey) {
        guard let entry = self.entries[key], !entry.isAcknowledging else { return }
        let isDrained = entry.queue.isEmpty && entry.call == nil
        if entry.handled != nil, isDrained || entry.unacknowledged >= self.options.batch {
            self.update(key) { $0.isAcknowledging = true }
            self.acknowledgements.append(key)
        } else if isDrained, entry.handled == nil {
            self.entries[key] = nil
        }
    }

    /// Takes the entry out and puts it back: a change in place costs an allocation for each access, as an entry is large, and
    /// one that is copied first copies its queue.
    private mutating func update(_ key: RouteKey, _ body: (inout Entry) -> Void) {
        guard var entry = self.entries.removeValue(forKey: key) else { return }
        body(&entry)
        self.entries[key] = entry
    }
}
