import CZlib

/// Undoes permessage-deflate (RFC 7692 §7.2.2), up to a size. Loop-bound; about 40 KB once it has been used.
package final class Inflater {
    package enum Outcome {
        /// Lies in the output buffer, until its next use.
        case message(UnsafeRawBufferPointer)
        /// It would be larger than the limit: no more than that was ever unpacked.
        case tooLarge
        case corrupt
    }

    /// In memory of its own: zlib refuses a stream that has moved.
    private let stream: UnsafeMutablePointer<z_stream>

    private static let firstRoom = 4_096
    /// The end of every message, which the sender left out.
    private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

    /// Takes messages of any window.
    package init() {
        self.stream = .allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        let status = czlib_inflate_init(self.stream, -15)
        precondition(status == Z_OK, "zlib refuses a raw stream only where there is no memory left")
    }

    deinit {
        inflateEnd(self.stream)
        self.stream.deallocate()
    }

    /// - Parameters:
    ///   - message: all its fragments.
    ///   - limit: bytes of the unpacked message.
    ///   - keepsContext: the next message may refer to this one. Anything else than `message` ends the connection, so
    ///     that it does not matter what is left of the context.
    package func inflate(
        _ message: UnsafeRawBufferPointer, limit: Int, keepsContext: Bool, into output: ScratchBuffer
    ) -> Outcome {
        if !keepsContext { inflateReset(self.stream) }
        var count = 0
        if let failure = self.run(message, limit: limit, &count, output) { return failure }
        if let failure = Self.tail.withUnsafeBytes({ self.run($0, limit: limit, &count, output) }) { return failure }
        // Between two blocks, or the message was cut short.
        guard self.stream.pointee.data_type & 128 != 0 else { return .corrupt }
        return .message(UnsafeRawBufferPointer(rebasing: output.reserve(count)[..<count]))
    }

    /// - Returns: nil when all of `bytes` was taken.
    private func run(
        _ bytes: UnsafeRawBufferPointer, limit: Int, _ count: inout Int, _ output: ScratchBuffer
    ) -> Outcome? {
        self.stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        self.stream.pointee.avail_in = UInt32(bytes.count)
        defer {
            self.stream.pointee.next_in = nil
            self.stream.pointee.next_out = nil
        }
        while true {
            // One byte more than allowed, to see that it is more.
            let room = min(max(Self.firstRoom, count * 2), limit + 1)
            let target = output.grow(to: room, keeping: count)
            let free = min(target.count, limit + 1) - count
            self.stream.pointee.next_out = target.baseAddress?.advanced(by: count).assumingMemoryBound(to: UInt8.self)
            self.stream.pointee.avail_out = UInt32(free)
            let status = CZlib.inflate(self.stream, Z_SYNC_FLUSH)
            count += free - Int(self.stream.pointee.avail_out)
            guard count <= limit else { return .tooLarge }
            switch status {
            case Z_STREAM_END:
                // A final block is allowed (RFC 7692 §7.2.3.4); what follows it goes on with the same window.
                guard inflateResetKeep(self.stream) == Z_OK else { return .corrupt }
                if self.stream.pointee.avail_in == 0 { return nil }
            case Z_OK, Z_BUF_ERROR:
                if self.stream.pointee.avail_out > 0 {
                    return self.stream.pointee.avail_in == 0 ? nil : .corrupt
                }
            default: return .corrupt
            }
        }
    }
}

@available(*, unavailable) extension Inflater: Sendable {}
