import NIOCore
import Testing

@testable import Wire

@Suite struct WireMessageDeflateTests {
    private typealias Found = WireFixture.Found

    private func inflation(keepsContext: Bool = false) -> Inflation {
        Inflation(inflater: Inflater(), output: ScratchBuffer(idleCapacity: 64), keepsContext: keepsContext)
    }

    private func compressed(_ text: String, _ deflater: Deflater, keepsContext: Bool = false) -> [UInt8] {
        WireFixture.withBytes(text) { Array(buffer: deflater.compress(message: $0, keepsContext: keepsContext)) }
    }

    /// Examples of RFC 7692 §7.2.3: Hello in a fixed block, with and without a shared window, stored, final, in two blocks.
    private static let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
    private static let helloAgain: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
    private static let stored: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]
    private static let final: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]
    private static let twoBlocks: [UInt8] = [
        0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00,
    ]

    @Test("RFC 7692 §7.2.3: its own examples, whole and in fragments", arguments: [hello, stored, final, twoBlocks])
    func examples(payload: [UInt8]) {
        let whole = WireFixture.clientFrame(opcode: 1, payload, reserved: 0x40)
        #expect(WireFixture.decode(whole, inflation: self.inflation()) == [.text("Hello")])
        for split in 0...payload.count {
            let parts =
                WireFixture.clientFrame(opcode: 1, Array(payload[..<split]), isFinal: false, reserved: 0x40)
                + WireFixture.clientFrame(opcode: 9, [1])
                + WireFixture.clientFrame(opcode: 0, Array(payload[split...]))
            #expect(
                WireFixture.decode(parts, readSizes: { _ in 3 }, inflation: self.inflation())
                    == [.ping([1]), .text("Hello")], "split at \(split)")
        }
    }

    @Test("RFC 7692 §7.2.3.2: a message may refer to the one before, where that was agreed on")
    func sharedWindow() {
        let frames =
            WireFixture.clientFrame(opcode: 1, Self.hello, reserved: 0x40)
            + WireFixture.clientFrame(opcode: 1, Self.helloAgain, reserved: 0x40)
        #expect(
            WireFixture.decode(frames, inflation: self.inflation(keepsContext: true)) == [
                .text("Hello"), .text("Hello"),
            ])
        #expect(WireFixture.decode(frames, inflation: self.inflation()) == [.text("Hello"), .violation(.invalidText)])
    }

    @Test("RFC 7692 §6: plain messages go between compressed ones, and an empty one is legal")
    func mixed() {
        let frames =
            WireFixture.clientFrame(text: "plain")
            + WireFixture.clientFrame(opcode: 2, [0x00], reserved: 0x40)
            + WireFixture.clientFrame(opcode: 2, Self.hello, reserved: 0x40)
        #expect(
            WireFixture.decode(frames, inflation: self.inflation())
                == [.text("plain"), .binary([]), .binary(Array("Hello".utf8))])
    }

    @Test(
        "RFC 7692 §6.1: the bit is for the first frame of a message only, and only where it was agreed on",
        arguments: [
            WireFixture.clientFrame(opcode: 9, [], reserved: 0x40),
            WireFixture.clientFrame(opcode: 8, [], reserved: 0x40),
            WireFixture.clientFrame(opcode: 1, hello, reserved: 0x20),
            WireFixture.clientFrame(opcode: 1, hello, reserved: 0x50),
            WireFixture.clientFrame(opcode: 1, [], isFinal: false, reserved: 0x40)
                + WireFixture.clientFrame(opcode: 0, hello, reserved: 0x40),
        ])
    func misplacedBit(frames: [UInt8]) {
        #expect(WireFixture.decode(frames, inflation: self.inflation()) == [.violation(.protocolError)])
        #expect(
            WireFixture.decode(WireFixture.clientFrame(opcode: 1, Self.hello, reserved: 0x40))
                == [.violation(.protocolError)])
    }

    @Test("A message that is cut short, or is no deflate, closes with 1007", arguments: [0, 1, 2, 5])
    func corrupt(kept: Int) {
        let cut = WireFixture.clientFrame(opcode: 2, Array(Self.hello[..<kept]), reserved: 0x40)
        #expect(WireFixture.decode(cut, inflation: self.inflation()) == [.violation(.invalidText)])
        let junk = WireFixture.clientFrame(opcode: 2, [0xFF, 0xFF, 0xFF, 0xFF], reserved: 0x40)
        #expect(WireFixture.decode(junk, inflation: self.inflation()) == [.violation(.invalidText)])
    }

    @Test("SOCKETIO §6: text is checked once it is unpacked")
    func invalidText() {
        let bytes = Deflater(.raw(windowBits: 15))
        let packed = ([0x61, 0xFF] as [UInt8]).withUnsafeBytes { bytes.compress(message: $0, keepsContext: false) }
        let frame = WireFixture.clientFrame(opcode: 1, Array(buffer: packed), reserved: 0x40)
        #expect(WireFixture.decode(frame, inflation: self.inflation()) == [.violation(.invalidText)])
    }

    @Test("SOCKETIO §6: the size limit holds for the unpacked message, and no more than that is unpacked")
    func bomb() {
        let packed = self.compressed(String(repeating: "a", count: 50_000_000), Deflater(.raw(windowBits: 15)))
        #expect(packed.count < 60_000)
        let inflation = self.inflation()
        let limits = WebSocketDecoder.Limits(maxPayload: 100_000)
        let frame = WireFixture.clientFrame(opcode: 1, packed, reserved: 0x40)
        #expect(WireFixture.decode(frame, limits: limits, inflation: inflation) == [.violation(.tooLarge)])
        #expect(inflation.output.capacity <= 100_001)
        for (count, isAllowed) in [(100_000, true), (100_001, false)] {
            let text = String(repeating: "b", count: count)
            let frame = WireFixture.clientFrame(
                opcode: 1, self.compressed(text, Deflater(.raw(windowBits: 15))), reserved: 0x40)
            let expected: Found = isAllowed ? .text(text) : .violation(.tooLarge)
            #expect(WireFixture.decode(frame, limits: limits, inflation: inflation) == [expected])
        }
    }

    @Test(
        "What this side compresses comes back the same, with any window, with and without context",
        arguments: [9, 12, 15], [false, true])
    func roundTrip(windowBits: Int, keepsContext: Bool) {
        var generator = WireFixture.Generator(seed: UInt64(windowBits))
        let deflater = Deflater(.raw(windowBits: windowBits))
        let inflation = self.inflation(keepsContext: keepsContext)
        for size in [1, 100, 5_000, 70_000, 300_000] {
            let random = generator.bytes(size)
            let text = Array(String(repeating: "to be or not to be ", count: size / 19 + 1).utf8.prefix(size))
            for bytes in [random, text] {
                let packed = bytes.withUnsafeBytes { deflater.compress(message: $0, keepsContext: keepsContext) }
                let frame = WireFixture.clientFrame(opcode: 2, Array(buffer: packed), reserved: 0x40)
                let limits = WebSocketDecoder.Limits(maxPayload: size)
                #expect(WireFixture.decode(frame, limits: limits, inflation: inflation) == [.binary(bytes)], "\(size)")
            }
        }
    }

    @Test("Shared frames are rewritten for one connection: long data compressed, the rest as it was")
    func rewrite() {
        let long = String(repeating: "hello ", count: 400)
        var generator = WireFixture.Generator(seed: 7)
        let noise = generator.bytes(2_000)
        let frames = WireFixture.written { buffer in
            WireFixture.withBytes("4short") { WebSocketFrameWriter.writeText($0, into: &buffer) }
            WireFixture.withBytes(long) { WebSocketFrameWriter.writeText($0, into: &buffer) }
            noise.withUnsafeBytes { WebSocketFrameWriter.writeBinary($0, into: &buffer) }
            WireFixture.withBytes("p") { WebSocketFrameWriter.writePong($0, into: &buffer) }
            noise.withUnsafeBytes { bytes in
                let all = [UInt8](repeating: 9, count: 70_000) + bytes
                all.withUnsafeBytes { WebSocketFrameWriter.writeBinary($0, into: &buffer) }
            }
        }
        let expected: [Found] = [
            .text("4short"), .text(long), .binary(noise), .pong,
            .binary([UInt8](repeating: 9, count: 70_000) + noise),
        ]
        for keepsContext in [false, true] {
            let packed = WireFixture.written { buffer in
                frames.withUnsafeReadableBytes {
                    FrameDeflation.rewrite(
                        $0, with: Deflater(.raw(windowBits: 15)), keepsContext: keepsContext, threshold: 1_024,
                        into: &buffer)
                }
            }
            #expect(packed.readableBytes < 5_000)
            #expect(
                WireFixture.decode(
                    Array(buffer: packed), limits: .init(expectsMask: false),
                    inflation: self.inflation(keepsContext: keepsContext)) == expected)
        }
    }
}
