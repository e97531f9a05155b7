import CZlib
package import NIOCore

/// Compresses with zlib: whole bodies (gzip, zlib), or messages of permessage-deflate (RFC 7692 §7.2.1). Loop-bound.
///
/// About 268 KB with the widest window, so that one is shared by all connections of a loop wherever none keeps context.
package final class Deflater {
    package enum Format: Equatable, Sendable {
        /// - Parameter windowBits: 9 to 15; zlib has no raw form with 8.
        case raw(windowBits: Int)
        case gzip
        case zlib

        fileprivate var windowBits: Int32 {
            switch self {
            case .raw(let bits): -Int32(bits)
            case .gzip: 15 + 16
            case .zlib: 15
            }
        }
    }

    /// In memory of its own: zlib refuses a stream that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    /// What a message becomes before its length, and so its frame's header, is known.
    private var work = ByteBuffer()

    private static let memoryLevel: Int32 = 8
    private static let idleCapacity = 1 << 16

    /// - Parameter level: 1, fastest, to 9, smallest.
    package init(_ format: Format, level: Int = 6) {
        self.stream = .allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        let status = czlib_deflate_init(self.stream, Int32(level), format.windowBits, Self.memoryLevel)
        precondition(status == Z_OK, "zlib refuses level \(level), \(format), or there is no memory left")
    }

    deinit {
        deflateEnd(self.stream)
        self.stream.deallocate()
    }

    /// Compresses a whole body.
    package func compress(body: UnsafeRawBufferPointer) -> ByteBuffer {
        self.run(body, flush: Z_FINISH)
        deflateReset(self.stream)
        return self.take()
    }

    /// Compresses one message that is not empty.
    ///
    /// - Parameter keepsContext: the next message may refer to this one, so this one must be sent.
    package func compress(message: UnsafeRawBufferPointer, keepsContext: Bool) -> ByteBuffer {
        self.run(message, flush: Z_SYNC_FLUSH)
        // A flush ends with 00 00 FF FF, which both sides know of.
        self.work.moveWriterIndex(to: self.work.writerIndex - 4)
        if !keepsContext { deflateReset(self.stream) }
        return self.take()
    }

    private func take() -> ByteBuffer {
        defer { if self.work.storageCapacity > Self.idleCapacity { self.work = ByteBuffer() } }
        return self.work
    }

    private func run(_ bytes: UnsafeRawBufferPointer, flush: Int32) {
        self.work.clear()
        self.stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        self.stream.pointee.avail_in = UInt32(bytes.count)
        // What cannot be compressed grows by 5 bytes a block; text shrinks well below this.
        var room = bytes.count / 2 + 64
        repeat {
            self.work.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                self.stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                self.stream.pointee.avail_out = UInt32(target.count)
                let status = deflate(self.stream, flush)
                precondition(status != Z_STREAM_ERROR, "deflate fails only where its stream was tampered with")
                return target.count - Int(self.stream.pointee.avail_out)
            }
            room *= 2
        } while self.stream.pointee.avail_out == 0
        self.stream.pointee.next_in = nil
        self.stream.pointee.next_out = nil
    }
}

@available(*, unavailable) extension Deflater: Sendable {}
