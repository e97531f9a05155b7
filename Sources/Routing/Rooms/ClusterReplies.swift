package import Wire

/// What a request to all nodes has brought, complete or not (SOCKETIO §13: partial results instead of an error).
package struct ClusterReplies: Sendable {
    package var items: [RoomReply.Item]
    /// Nodes that did not answer in time.
    package var silent: [NodeID]
    /// Nodes that died or left meanwhile, or could not be reached.
    package var departed: [NodeID]
    /// Announced answers that did not come in time.
    package var missing: Int
    /// Sockets that went before they answered.
    package var withoutAnswer: Int
    /// Answers beyond what is kept of one request.
    package var dropped: Int

    package init(_ machine: ClusterRequestMachine) {
        self.items = machine.items
        self.silent = machine.silent
        self.departed = machine.departed
        self.missing = machine.missing
        self.withoutAnswer = machine.withoutAnswer
        self.dropped = machine.dropped
    }

    /// Nothing that was asked for is missing.
    package var isComplete: Bool {
        self.silent.isEmpty && self.departed.isEmpty && self.missing == 0 && self.dropped == 0
    }
}
