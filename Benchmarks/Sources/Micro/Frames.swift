import NIOCore
import Wire

/// WebSocket frames.
enum Frames {
    static func figures() -> [Figure] {
        [self.decode(count: 16, size: 70), self.decode(count: 1, size: 4096), self.write(size: 70), self.write(size: 4096)]
    }

    private static func decode(count: Int, size: Int) -> Figure {
        var bytes = ByteBuffer()
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: size)
        for _ in 0..<count {
            body.withUnsafeBytes { WebSocketFrameWriter.writeMasked(.text, $0, key: 0x1234_5678, into: &bytes) }
        }
        let scratch = ScratchBuffer()
        let limits = WebSocketDecoder.Limits()
        return Figure("decode a masked frame (\(size) B, \(count) a read)", batch: count) {
            bytes.withUnsafeReadableBytes { read in
                var decoder = WebSocketDecoder()
                var offset = 0
                var frames = 0
                while case .text(let text) = decoder.next(in: read, at: &offset, scratch: scratch, limits: limits) {
                    precondition(text.count == size)
                    frames += 1
                }
                precondition(frames == count)
            }
        }
    }

    private static func write(size: Int) -> Figure {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: size)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(size + 16)
        return Figure("write a frame (\(size) B)") {
            buffer.clear()
            body.withUnsafeBytes { WebSocketFrameWriter.writeText($0, into: &buffer) }
        }
    }
}
