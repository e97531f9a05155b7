package import NIOCore

/// Compresses frames that were written for everybody, for a connection with permessage-deflate.
package enum FrameDeflation {
    /// Appends what `frames` says, with data frames of `threshold` bytes or more compressed where that makes them
    /// smaller. Control frames and short messages pass as they are.
    ///
    /// - Parameters:
    ///   - frames: whole frames as `WebSocketFrameWriter` writes them for a server: final, unmasked, nothing reserved.
    ///   - keepsContext: later messages may refer to these, so what was compressed is sent compressed.
    package static func rewrite(
        _ frames: UnsafeRawBufferPointer, with deflater: Deflater, keepsContext: Bool, threshold: Int,
        into buffer: inout ByteBuffer
    ) {
        var position = 0
        while position < frames.count {
            let start = position
            let opcode = frames[position] & 0x0F
            var count = Int(frames[position + 1])
            position += 2
            if count == 126 {
                count = Int(UInt16(bigEndian: frames.loadUnaligned(fromByteOffset: position, as: UInt16.self)))
                position += 2
            } else if count == 127 {
                count = Int(UInt64(bigEndian: frames.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
                position += 8
            }
            let payload = UnsafeRawBufferPointer(rebasing: frames[position..<(position + count)])
            position += count
            if opcode < 0x8, count >= max(threshold, 1), let type = WebSocketFrameWriter.Opcode(rawValue: opcode) {
                let packed = deflater.compress(message: payload, keepsContext: keepsContext)
                if keepsContext || packed.readableBytes < count {
                    WebSocketFrameWriter.writeHeader(
                        type, count: packed.readableBytes, isCompressed: true, into: &buffer)
                    buffer.writeImmutableBuffer(packed)
                    continue
                }
            }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: frames[start..<position]))
        }
    }
}
