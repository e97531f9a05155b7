import NIOCore

@testable import Wire

/// What the suites of `Wire` share.
enum WireFixture {
    static func withBytes<R>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try Array(text.utf8).withUnsafeBytes(body)
    }

    static func string(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

    static func string(_ buffer: ByteBuffer) -> String { String(buffer: buffer) }

    static func written(_ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        body(&buffer)
        return buffer
    }

    /// A frame as a client sends it.
    static func clientFrame(
        opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, reserved: UInt8 = 0, key: [UInt8]? = [1, 2, 3, 4]
    ) -> [UInt8] {
        var frame: [UInt8] = [(isFinal ? 0x80 : 0) | reserved | opcode]
        let mask: UInt8 = key == nil ? 0 : 0x80
        switch payload.count {
        case ..<126: frame.append(mask | UInt8(payload.count))
        case ..<65_536: frame += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            frame.append(mask | 127)
            frame += (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
        }
        guard let key else { return frame + payload }
        return frame + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    static func clientFrame(text: String) -> [UInt8] { self.clientFrame(opcode: 1, Array(text.utf8)) }

    /// What a decoder found, with its bytes copied.
    enum Found: Equatable {
        case text(String)
        case binary([UInt8])
        case ping([UInt8])
        case pong
        case close(UInt16?)
        case violation(WebSocketCloseCode)
    }

    /// Feeds a decoder reads of the given sizes as a channel handler does, keeping what it did not use.
    static func decode(
        _ bytes: [UInt8], readSizes: (Int) -> Int = { $0 }, limits: WebSocketDecoder.Limits = .init(),
        inflation: Inflation? = nil
    ) -> [Found] {
        var decoder = WebSocketDecoder()
        let scratch = ScratchBuffer(idleCapacity: 64)
        var found: [Found] = []
        var kept: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let size = max(1, min(readSizes(bytes.count - position), bytes.count - position))
            kept += bytes[position..<(position + size)]
            position += size
            var offset = 0
            kept.withUnsafeBytes { bytes in
                while true {
                    switch decoder.next(
                        in: bytes, at: &offset, scratch: scratch, limits: limits, inflation: inflation)
                    {
                    case .text(let text): found.append(.text(self.string(text)))
                    case .binary(let binary): found.append(.binary(Array(binary)))
                    case .ping(let payload): found.append(.ping(Array(payload)))
                    case .pong: found.append(.pong)
                    case .close(let code): found.append(.close(code))
                    case .violation(let code): found.append(.violation(code))
                    case .needsMore: return
                    }
                }
            }
            kept.removeFirst(offset)
        }
        return found
    }

    /// xorshift64*: the same numbers from the same seed, on every platform.
    struct Generator: RandomNumberGenerator {
        private var state: UInt64

        init(seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

        mutating func next() -> UInt64 {
            self.state ^= self.state >> 12
            self.state ^= self.state << 25
            self.state ^= self.state >> 27
            return self.state &* 0x2545_F491_4F6C_DD1D
        }

        mutating func bytes(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
        }
    }
}
