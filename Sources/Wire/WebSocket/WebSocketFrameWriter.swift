package import NIOCore

/// Appends WebSocket frames to a buffer: one capacity check a frame, no copy in between. Server frames are unmasked; a
/// client (our load generator) gives a mask key.
package enum WebSocketFrameWriter {
    package enum Opcode: UInt8, Sendable {
        case text = 0x1
        case binary = 0x2
        case close = 0x8
        case ping = 0x9
        case pong = 0xA
    }

    /// Bytes of the frame header in front of `count` unmasked payload bytes.
    package static func headerCount(_ count: Int) -> Int { count < 126 ? 2 : count < 65_536 ? 4 : 10 }

    /// Appends a text message.
    package static func writeText(_ body: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        self.write(.text, body, into: &buffer)
    }

    /// Appends a text message that is `prefix` and then `body`: an Engine.IO type byte and its payload.
    package static func writeText(
        prefix: UInt8, _ body: UnsafeRawBufferPointer, into buffer: inout ByteBuffer
    ) {
        let count = body.count + 1
        let header = self.headerCount(count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: header + count) { target in
            Self.storeHeader(.text, count, header, masked: false, in: target)
            target[header] = prefix
            UnsafeMutableRawBufferPointer(rebasing: target[(header + 1)...]).copyMemory(from: body)
            return header + count
        }
    }

    /// Appends the header of a message, after which the caller appends exactly `count` bytes. Reserves room for them.
    ///
    /// - Parameter isCompressed: they are those of permessage-deflate (RFC 7692 §6).
    package static func writeHeader(
        _ opcode: Opcode, count: Int, isCompressed: Bool = false, into buffer: inout ByteBuffer
    ) {
        let header = self.headerCount(count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: header + count) { target in
            Self.storeHeader(opcode, count, header, masked: false, in: target)
            if isCompressed { target[0] |= 0x40 }
            return header
        }
    }

    package static func writeBinary(_ body: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        self.write(.binary, body, into: &buffer)
    }

    /// - Parameter body: the bytes of the ping that is answered, at most 125.
    package static func writePong(_ body: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        self.write(.pong, UnsafeRawBufferPointer(rebasing: body.prefix(125)), into: &buffer)
    }

    package static func writePing(into buffer: inout ByteBuffer) {
        self.write(.ping, UnsafeRawBufferPointer(start: nil, count: 0), into: &buffer)
    }

    package static func writeClose(_ code: WebSocketCloseCode, into buffer: inout ByteBuffer) {
        self.writeClose(echoing: code.rawValue, into: &buffer)
    }

    /// Answers the close of a peer with the code that it gave (RFC 6455 §5.5.1).
    package static func writeClose(echoing code: UInt16, into buffer: inout ByteBuffer) {
        withUnsafeBytes(of: code.bigEndian) { self.write(.close, $0, into: &buffer) }
    }

    package static func write(_ opcode: Opcode, _ body: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        let header = self.headerCount(body.count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: header + body.count) { target in
            Self.storeHeader(opcode, body.count, header, masked: false, in: target)
            UnsafeMutableRawBufferPointer(rebasing: target[header...]).copyMemory(from: body)
            return header + body.count
        }
    }

    /// Appends a frame as a client sends it.
    package static func writeMasked(
        _ opcode: Opcode, _ body: UnsafeRawBufferPointer, key: UInt32, into buffer: inout ByteBuffer
    ) {
        let header = self.headerCount(body.count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: header + 4 + body.count) { target in
            Self.storeHeader(opcode, body.count, header, masked: true, in: target)
            target.storeBytes(of: key, toByteOffset: header, as: UInt32.self)
            for index in 0..<body.count {
                target[header + 4 + index] = body[index] ^ target[header + (index & 3)]
            }
            return header + 4 + body.count
        }
    }

    @inline(__always)
    private static func storeHeader(
        _ opcode: Opcode, _ count: Int, _ header: Int, masked: Bool, in target: UnsafeMutableRawBufferPointer
    ) {
        let mask: UInt8 = masked ? 0x80 : 0
        target[0] = 0x80 | opcode.rawValue
        switch header {
        case 2: target[1] = UInt8(truncatingIfNeeded: count) | mask
        case 4:
            target[1] = 126 | mask
            target.storeBytes(of: UInt16(truncatingIfNeeded: count).bigEndian, toByteOffset: 2, as: UInt16.self)
        default:
            target[1] = 127 | mask
            target.storeBytes(of: UInt64(count).bigEndian, toByteOffset: 2, as: UInt64.self)
        }
    }
}
