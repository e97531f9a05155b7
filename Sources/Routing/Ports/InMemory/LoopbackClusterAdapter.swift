internal import DequeModule
internal import NIOCore
internal import Synchronization
package import Wire

/// One incarnation's end of a ``LoopbackHub``: in order, bounded, delivered by its own long-lived task.
package final class LoopbackClusterAdapter: ClusterAdapter {
    fileprivate struct Item {
        let message: BusMessage
        let sender: LoopbackClusterAdapter
        let completion: @Sendable (PublishError?) -> Void

        var size: Int { self.message.payload.readableBytes + self.message.key.utf8.count + 64 }
    }

    private struct Inbox {
        var items: Deque<Item> = []
        var bytes = 0
        var isClosed = false
    }

    private struct Outbox {
        /// Handed in, and not delivered yet.
        var pending = 0
        var flushes: [CheckedContinuation<Void, Never>] = []
        var isClosed = false
    }

    /// SPEC ND-7: bytes that may wait for one target.
    private static let capacity = 32 << 20
    /// Messages per call of the receiver.
    private static let batch = 256

    package let node: NodeID
    private let hub: LoopbackHub
    private let receiver: any ClusterReceiver
    private let inbox = Mutex(Inbox())
    private let outbox = Mutex(Outbox())
    private let signal = WakeSignal()

    init(node: NodeID, hub: LoopbackHub, receiver: any ClusterReceiver) {
        self.node = node
        self.hub = hub
        self.receiver = receiver
    }

    package func publish(
        _ message: BusMessage, to target: NodeRecord, completion: @escaping @Sendable (PublishError?) -> Void
    ) {
        precondition(target.id != self.node, "a node never addresses itself (EV-1)")
        if message.payload.readableBytes > BusMessage.maximumSize { return completion(.tooLarge) }
        let isOpen = self.outbox.withLock { outbox -> Bool in
            if !outbox.isClosed { outbox.pending += 1 }
            return !outbox.isClosed
        }
        guard isOpen else { return completion(.closed) }
        guard target.state < .claimed, let adapter = self.hub.adapter(of: target.id) else {
            self.complete()
            return completion(.targetGone)
        }
        if let error = adapter.accept(Item(message: message, sender: self, completion: completion)) {
            self.complete()
            completion(error)
        }
    }

    package var health: BusHealth { BusHealth(probeAge: [0], latency: [0], modes: ["loopback"], gaps: 0) }

    package func flush() async {
        await withCheckedContinuation { continuation in
            let isIdle = self.outbox.withLock { outbox -> Bool in
                if outbox.pending == 0 { return true }
                outbox.flushes.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    package func shutdown() async {
        self.hub.close(self.node)
        self.outbox.withLock { $0.isClosed = true }
        let left = self.inbox.withLock { inbox -> Deque<Item> in
            inbox.isClosed = true
            defer {
                inbox.items = []
                inbox.bytes = 0
            }
            return inbox.items
        }
        for item in left { item.finish(.targetGone) }
        self.signal.raise()
    }

    /// Delivers until ``shutdown()`` or until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            let (items, isClosed) = self.inbox.withLock { inbox -> ([Item], Bool) in
                let items = Array(inbox.items.prefix(Self.batch))
                inbox.items.removeFirst(items.count)
                for item in items { inbox.bytes -= item.size }
                return (items, inbox.isClosed)
            }
            if isClosed { return }
            if items.isEmpty {
                await self.signal.wait()
                continue
            }
            var rest = items[...]
            while let sender = rest.first?.sender {
                let run = rest.prefix { $0.sender === sender }
                self.receiver.receive(run.map(\.message), from: sender.node)
                for item in run { item.finish(nil) }
                rest = rest.dropFirst(run.count)
            }
        }
    }

    private func accept(_ item: Item) -> PublishError? {
        let error = self.inbox.withLock { inbox -> PublishError? in
            if inbox.isClosed { return .targetGone }
            if inbox.bytes + item.size > Self.capacity { return .backlog }
            inbox.items.append(item)
            inbox.bytes += item.size
            return nil
        }
        if error == nil { self.signal.raise() }
        return error
    }

    private func complete() {
        let flushes = self.outbox.withLock { outbox -> [CheckedContinuation<Void, Never>] in
            outbox.pending -= 1
            guard outbox.pending == 0 else { return [] }
            defer { outbox.flushes = [] }
            return outbox.flushes
        }
        for flush in flushes { flush.resume() }
    }
}

extension LoopbackClusterAdapter.Item {
    fileprivate func finish(_ error: PublishError?) {
        self.completion(error)
        self.sender.complete()
    }
}
