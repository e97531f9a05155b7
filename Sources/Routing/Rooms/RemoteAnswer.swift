import Synchronization
import Wire

/// What this node contributes to a request of another one: says first how much will come, when all loops have said so,
/// then sends on what comes, in messages of a size that the bus takes.
final class RemoteAnswer: Sendable {
    /// Bytes of the items in one message: well below what an envelope takes (SPEC ND-6).
    private static let messageBytes = 512 << 10

    private struct State {
        var missingLoops: Int
        var expected = 0
        /// What came before all loops had said how much they contribute.
        var early: [RoomReply.Item?] = []
    }

    private let state: Mutex<State>
    private let request: UInt64
    private let node: NodeID
    private let dispatcher: RoomDispatcher

    init(request: UInt64, to node: NodeID, loops: Int, _ dispatcher: RoomDispatcher) {
        self.state = Mutex(State(missingLoops: loops))
        self.request = request
        self.node = node
        self.dispatcher = dispatcher
    }

    func report(expected: Int?, items: [RoomReply.Item?]) {
        let (total, ready): (Int?, [RoomReply.Item?]) = self.state.withLock { state in
            var total: Int?
            if let expected {
                state.expected += expected
                state.missingLoops -= 1
                if state.missingLoops == 0 { total = state.expected }
            }
            guard state.missingLoops == 0 else {
                state.early += items
                return (nil, [])
            }
            defer { state.early = [] }
            return (total, state.early + items)
        }
        guard total != nil || !ready.isEmpty else { return }
        var expected = total.map { UInt32(clamping: $0) }
        var part: [RoomReply.Item?] = []
        var bytes = 0
        for item in ready {
            let size = (item?.byteCount ?? 0) + 8
            if !part.isEmpty, bytes + size > Self.messageBytes {
                self.dispatcher.reply(RoomReply(request: self.request, expected: expected, items: part), to: self.node)
                (expected, part, bytes) = (nil, [], 0)
            }
            part.append(item)
            bytes += size
        }
        if expected != nil || !part.isEmpty {
            self.dispatcher.reply(RoomReply(request: self.request, expected: expected, items: part), to: self.node)
        }
    }
}
