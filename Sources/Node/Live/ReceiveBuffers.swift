import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One receive buffer for all sockets of an event loop, so that an idle socket keeps none (docs/architecture.md,
/// "Memory of an idle connection").
///
/// Rests on NIO reading one message at a time (`maxMessagesPerRead` 1) and on handlers giving the buffer back.
final class ReceiveSlot: Sendable {
    /// Bytes of one read.
    static let size = 65_536

    /// Invariant for `nonisolated(unsafe)`: touched only from the slot's event loop, where its channels read.
    nonisolated(unsafe) private var spare: ByteBuffer?

    func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard var spare = self.spare else { return allocator.buffer(capacity: Self.size) }
        self.spare = nil
        spare.clear()
        return spare
    }

    /// Has a channel of the loop read into its buffer.
    func serve(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.recvAllocator, value: ReceiveBufferAllocator(slot: self))
        try options.setOption(.maxMessagesPerRead, value: 1)
    }

    /// Reads what has come behind the first bytes of a connection, which fill the tiny buffer of its channel: otherwise every
    /// connect would take a turn of the loop more. What is no data is left for the channel to find.
    /// - Returns: nil where there is nothing, or no socket.
    func readOn(_ channel: any Channel) -> ByteBuffer? {
        // Not by way of the pipeline, whose cast to a constrained existential type took as long as the system call.
        guard let core = channel as? any NIOTransportAccessibleChannelCore else { return nil }
        var buffer = self.take(channel.allocator)
        if Self.fill(&buffer, from: core) > 0 { return buffer }
        self.giveBack(buffer)
        return nil
    }

    private static func fill(_ buffer: inout ByteBuffer, from core: some NIOTransportAccessibleChannelCore) -> Int {
        let count = try? core.withUnsafeTransport { transport -> Int in
            guard let socket = transport as? NIOBSDSocket.Handle else { return 0 }
            // Never waits: sockets of NIO don't block.
            return buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.size) { bytes in
                max(read(socket, bytes.baseAddress, bytes.count), 0)
            }
        }
        // Only a channel that has been closed meanwhile throws.
        return count ?? 0
    }

    /// The handler is done with a buffer that it read; nobody else may hold a slice of it.
    func giveBack(_ buffer: consuming ByteBuffer) {
        if buffer.capacity == Self.size || buffer.storageCapacity == Self.size { self.spare = buffer }
    }
}

/// Hands every channel of a loop the loop's buffer. The very first buffer is the one that a channel keeps for good, so
/// that one is tiny. It holds what the WebSocket of an upgrade sends first where that has moved
/// to another loop, a probe and `5` (19 bytes): were they read in two ticks, a GET that the client sent after them could come
/// between (SOCKETIO §7.10).
struct ReceiveBufferAllocator: RecvByteBufferAllocator {
    private static let firstSize = 32
    private let slot: ReceiveSlot
    private var isFirst = true

    init(slot: ReceiveSlot) {
        self.slot = slot
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        self.isFirst ? allocator.buffer(capacity: Self.firstSize) : self.slot.take(allocator)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        self.isFirst = false
        // "May grow": the channel never reuses the buffer that it kept.
        return true
    }
}
