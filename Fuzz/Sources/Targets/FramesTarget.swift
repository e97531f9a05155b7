import NIOCore
import Wire

/// Frames in one read, and in reads whose sizes the input chooses: the decoder must find the same. What it found is
/// written again, and read.
///
///     input = flags (1 byte), number of sizes (1 byte), sizes, frames
enum FramesTarget {
    private enum Found: Equatable {
        case text([UInt8])
        case binary([UInt8])
        case ping([UInt8])
        case pong
        case close(UInt16?)
        case violation(WebSocketCloseCode)
    }

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = CommandBytes(bytes)
        let flags = input.byte()
        let limits = WebSocketDecoder.Limits(
            maxPayload: flags & 2 == 0 ? 1_000_000 : 200, maxFragments: flags & 4 == 0 ? 1_024 : 3,
            expectsMask: flags & 1 == 0)
        // With permessage-deflate, and a message that may refer to those before it.
        let isDeflated = flags & 8 != 0
        let sizes = Array(input.take(Int(input.byte() % 32)))
        let stream = Array(input.rest())
        let whole = try self.decode(stream, sizes: [], limits: limits, isDeflated: isDeflated)
        let split = try self.decode(stream, sizes: sizes, limits: limits, isDeflated: isDeflated)
        try Finding.check(whole == split, "frames read alike however they arrive: \(whole), \(split)")

        var written = ByteBuffer()
        for found in whole { self.write(found, masked: limits.expectsMask, into: &written) }
        // A fragmented message may have been longer than its single frame's limit allows no more than before.
        let again = try self.decode(Array(written.readableBytesView), sizes: [], limits: limits)
        try Finding.check(again == whole.map(self.written), "what is written reads as what was written")
    }

    private static func decode(
        _ stream: [UInt8], sizes: [UInt8], limits: WebSocketDecoder.Limits, isDeflated: Bool = false
    ) throws(Finding) -> [Found] {
        var decoder = WebSocketDecoder()
        let scratch = ScratchBuffer(idleCapacity: 16)
        let inflation =
            isDeflated
            ? Inflation(inflater: Inflater(), output: ScratchBuffer(idleCapacity: 16), keepsContext: true) : nil
        var found: [Found] = []
        var kept: [UInt8] = []
        var position = 0
        var turn = 0
        while position < stream.count {
            let rest = stream.count - position
            let size = sizes.isEmpty ? rest : min(rest, Int(sizes[turn % sizes.count]) + 1)
            turn += 1
            kept += stream[position..<(position + size)]
            position += size
            var offset = 0
            kept.withUnsafeBytes { bytes in
                while let next = self.next(&decoder, bytes, &offset, scratch, limits, inflation) { found.append(next) }
            }
            if let output = inflation?.output {
                try Finding.check(output.capacity <= limits.maxPayload + 1, "no more is unpacked than is allowed")
            }
            try Finding.check(offset >= 0 && offset <= kept.count, "the offset stays in the bytes")
            kept.removeFirst(offset)
        }
        return found
    }

    private static func next(
        _ decoder: inout WebSocketDecoder, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int,
        _ scratch: ScratchBuffer, _ limits: WebSocketDecoder.Limits, _ inflation: Inflation?
    ) -> Found? {
        switch decoder.next(in: bytes, at: &offset, scratch: scratch, limits: limits, inflation: inflation) {
        case .text(let payload): .text(Array(payload))
        case .binary(let payload): .binary(Array(payload))
        case .ping(let payload): .ping(Array(payload))
        case .pong: .pong
        case .close(let code): .close(code)
        case .violation(let code): .violation(code)
        case .needsMore: nil
        }
    }

    /// A violation is answered with its code.
    private static func written(_ found: Found) -> Found {
        switch found {
        case .violation(let code): .close(code.rawValue)
        case .close(let code): .close(code ?? 1000)
        case .text, .binary, .ping, .pong: found
        }
    }

    private static func write(_ found: Found, masked: Bool, into buffer: inout ByteBuffer) {
        let (opcode, payload): (WebSocketFrameWriter.Opcode, [UInt8]) =
            switch found {
            case .text(let payload): (.text, payload)
            case .binary(let payload): (.binary, payload)
            case .ping(let payload): (.ping, payload)
            case .pong: (.pong, [])
            case .close(let code): (.close, withUnsafeBytes(of: (code ?? 1000).bigEndian, Array.init))
            case .violation(let code): (.close, withUnsafeBytes(of: code.rawValue.bigEndian, Array.init))
            }
        payload.withUnsafeBytes { payload in
            if masked {
                WebSocketFrameWriter.writeMasked(opcode, payload, key: 0xA1B2_C3D4, into: &buffer)
            } else {
                WebSocketFrameWriter.write(opcode, payload, into: &buffer)
            }
        }
    }
}
