import NIOCore

/// What waits for a client that reads slowly, copied into blocks of its own: a frame that is shared with fast readers would
/// keep a whole buffer alive, and every write costs the channel an entry, so that a budget of bytes would say little of
/// memory (SPEC EV-4).
final class WriteBacklog {
    /// Bytes of a block.
    static let block = 64 << 10

    private var blocks = CircularBuffer<ByteBuffer>()
    /// What waits.
    private(set) var bytes = 0
    /// Called once nothing waits any more.
    var drained: [() -> Void] = []

    func append(_ frames: ByteBuffer) {
        var frames = frames
        self.bytes += frames.readableBytes
        while frames.readableBytes > 0 {
            if self.blocks.last.map({ $0.readableBytes == Self.block }) ?? true {
                self.blocks.append(ByteBuffer())
            }
            let last = self.blocks.index(before: self.blocks.endIndex)
            let room = Self.block - self.blocks[last].readableBytes
            guard var part = frames.readSlice(length: min(room, frames.readableBytes)) else { return }
            self.blocks[last].writeBuffer(&part)
        }
    }

    /// Takes the oldest block.
    func next() -> ByteBuffer? {
        guard let block = self.blocks.popFirst() else { return nil }
        self.bytes -= block.readableBytes
        return block
    }
}

@available(*, unavailable) extension WriteBacklog: Sendable {}
