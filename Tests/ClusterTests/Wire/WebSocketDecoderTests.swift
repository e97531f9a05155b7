import NIOCore
import Testing

@testable import Wire

@Suite struct WireWebSocketDecoderTests {
    private typealias Found = WireFixture.Found

    @Test("SOCKETIO §6: whole, fragmented and control frames come out the same wherever the reads are split")
    func everySplit() {
        let long = String(repeating: "0123456789é", count: 30)
        let bytes =
            WireFixture.clientFrame(text: "4hello")
            + WireFixture.clientFrame(opcode: 2, [0, 255, 7], key: [9, 8, 7, 6])
            + WireFixture.clientFrame(opcode: 1, Array("ab".utf8), isFinal: false)
            + WireFixture.clientFrame(opcode: 9, Array("now".utf8))
            + WireFixture.clientFrame(opcode: 0, [], isFinal: false)
            + WireFixture.clientFrame(opcode: 0, Array("cd".utf8))
            + WireFixture.clientFrame(text: long)
            + WireFixture.clientFrame(opcode: 10, [])
            + WireFixture.clientFrame(text: "")
            + WireFixture.clientFrame(opcode: 8, [3, 232, 98, 121])
        let expected: [Found] = [
            .text("4hello"), .binary([0, 255, 7]), .ping(Array("now".utf8)), .text("abcd"), .text(long), .pong,
            .text(""), .close(1000),
        ]
        #expect(WireFixture.decode(bytes) == expected)
        #expect(WireFixture.decode(bytes, readSizes: { _ in 1 }) == expected)
        for split in 1..<bytes.count {
            #expect(
                WireFixture.decode(bytes, readSizes: { $0 == bytes.count ? split : $0 }) == expected,
                "split at \(split)")
        }
    }

    @Test(
        "SOCKETIO §6: what breaks the framing is refused with 1002",
        arguments: [
            WireFixture.clientFrame(opcode: 1, [65], key: nil),  // unmasked
            WireFixture.clientFrame(opcode: 1, [65], reserved: 0x40),
            WireFixture.clientFrame(opcode: 1, [65], reserved: 0x10),
            WireFixture.clientFrame(opcode: 3, [65]),
            WireFixture.clientFrame(opcode: 11, [65]),
            WireFixture.clientFrame(opcode: 0, [65]),  // continues nothing
            WireFixture.clientFrame(opcode: 1, [65], isFinal: false) + WireFixture.clientFrame(opcode: 1, [65]),
            WireFixture.clientFrame(opcode: 9, [65], isFinal: false),
            WireFixture.clientFrame(opcode: 9, [UInt8](repeating: 65, count: 126)),
            WireFixture.clientFrame(opcode: 8, [3]),
            WireFixture.clientFrame(opcode: 8, [3, 237]),  // 1005 must not be on the wire
            WireFixture.clientFrame(opcode: 8, [0, 0]),
            [0x81, 0xFE, 0, 5, 0, 0, 0, 0],  // a length that fits a shorter form
            [0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0],
            [0x81, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        ])
    func protocolErrors(bytes: [UInt8]) {
        #expect(WireFixture.decode(bytes).last == .violation(.protocolError))
        #expect(WireFixture.decode(bytes, readSizes: { _ in 1 }).last == .violation(.protocolError))
    }

    @Test("SOCKETIO §6: text that is not UTF-8 is refused with 1007, also across fragments and in close reasons")
    func invalidText() {
        #expect(WireFixture.decode(WireFixture.clientFrame(opcode: 1, [0xC3])) == [.violation(.invalidText)])
        #expect(
            WireFixture.decode(
                WireFixture.clientFrame(opcode: 1, [0x41], isFinal: false) + WireFixture.clientFrame(opcode: 0, [0xFF]))
                == [.violation(.invalidText)])
        #expect(WireFixture.decode(WireFixture.clientFrame(opcode: 8, [3, 232, 0xFF])) == [.violation(.invalidText)])
        // A character that is split between two fragments is whole in the message.
        #expect(
            WireFixture.decode(
                WireFixture.clientFrame(opcode: 1, [0xC3], isFinal: false) + WireFixture.clientFrame(opcode: 0, [0xA9]))
                == [.text("é")])
    }

    @Test("SOCKETIO §18: a message over maxPayload is refused with 1009 by its header, before its bytes")
    func tooLarge() {
        let limits = WebSocketDecoder.Limits(maxPayload: 200, maxFragments: 4)
        let header = Array(WireFixture.clientFrame(opcode: 2, [UInt8](repeating: 0, count: 201)).prefix(4))
        #expect(WireFixture.decode(header, limits: limits) == [.violation(.tooLarge)])
        let huge: [UInt8] = [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(WireFixture.decode(huge, limits: limits) == [.violation(.tooLarge)])
        let exact = WireFixture.clientFrame(opcode: 2, [UInt8](repeating: 1, count: 200))
        #expect(WireFixture.decode(exact, limits: limits) == [.binary([UInt8](repeating: 1, count: 200))])
        // The limit holds for all fragments together.
        let half = [UInt8](repeating: 1, count: 101)
        let fragments =
            WireFixture.clientFrame(opcode: 2, half, isFinal: false) + WireFixture.clientFrame(opcode: 0, half)
        #expect(WireFixture.decode(fragments, limits: limits) == [.violation(.tooLarge)])
    }

    @Test("SOCKETIO §19 CVE-2026-48779: tiny fragments end at the fragment limit")
    func fragmentLimit() {
        let limits = WebSocketDecoder.Limits(maxPayload: 200, maxFragments: 4)
        func message(_ count: Int) -> [UInt8] {
            (0..<count).flatMap { index in
                WireFixture.clientFrame(opcode: index == 0 ? 2 : 0, [], isFinal: index == count - 1)
            }
        }
        #expect(WireFixture.decode(message(4), limits: limits) == [.binary([])])
        #expect(WireFixture.decode(message(5), limits: limits) == [.violation(.tooLarge)])
    }

    @Test("After a close or a violation nothing more is decoded and every byte counts as used")
    func nothingAfterTheEnd() {
        let closed = WireFixture.clientFrame(opcode: 8, []) + WireFixture.clientFrame(text: "4late")
        #expect(WireFixture.decode(closed) == [.close(nil)])
        let broken = WireFixture.clientFrame(opcode: 3, []) + WireFixture.clientFrame(text: "4late")
        #expect(WireFixture.decode(broken) == [.violation(.protocolError)])
    }

    @Test("SOCKETIO §19 CVE-2022-21676: junk instead of frames never crashes", arguments: UInt64(1)...20)
    func junk(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        for _ in 0..<300 {
            var bytes = generator.bytes(Int.random(in: 0...200, using: &generator))
            if !bytes.isEmpty, Bool.random(using: &generator) {
                bytes[0] = [0x81, 0x82, 0x01, 0x80].randomElement(using: &generator)!
            }
            if bytes.count > 1, Bool.random(using: &generator) { bytes[1] |= 0x80 }
            let whole = WireFixture.decode(bytes)
            let split = WireFixture.decode(bytes, readSizes: { _ in Int.random(in: 1...9, using: &generator) })
            #expect(whole == split, "seed \(seed): \(bytes)")
        }
    }

    @Test("Frames of any size survive writing and reading, as server and as client", arguments: UInt64(1)...5)
    func roundTrip(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        for size in [0, 1, 7, 8, 9, 124, 125, 126, 127, 65_535, 65_536, 70_001] {
            let payload = generator.bytes(size)
            let key = UInt32.random(in: 0...UInt32.max, using: &generator)
            let masked = WireFixture.written { buffer in
                payload.withUnsafeBytes { WebSocketFrameWriter.writeMasked(.binary, $0, key: key, into: &buffer) }
            }
            #expect(WireFixture.decode(Array(masked.readableBytesView)) == [.binary(payload)], "seed \(seed)")
            let plain = WireFixture.written { buffer in
                payload.withUnsafeBytes { WebSocketFrameWriter.writeBinary($0, into: &buffer) }
            }
            #expect(
                WireFixture.decode(Array(plain.readableBytesView), limits: .init(expectsMask: false))
                    == [.binary(payload)], "seed \(seed)")
        }
    }

    @Test("A prefixed text frame is the prefix and the body in one frame")
    func prefixed() {
        for size in [0, 124, 125, 126, 65_534, 65_535] {
            let body = String(repeating: "x", count: size)
            let frame = WireFixture.written { buffer in
                WireFixture.withBytes(body) {
                    WebSocketFrameWriter.writeText(prefix: UInt8(ascii: "4"), $0, into: &buffer)
                }
            }
            #expect(
                WireFixture.decode(Array(frame.readableBytesView), limits: .init(expectsMask: false))
                    == [.text("4" + body)])
        }
    }

    @Test("Control frames as bytes")
    func controlFrames() {
        let frames = WireFixture.written { buffer in
            WebSocketFrameWriter.writeClose(.tooLarge, into: &buffer)
            WebSocketFrameWriter.writePing(into: &buffer)
            [UInt8]([1, 2]).withUnsafeBytes { WebSocketFrameWriter.writePong($0, into: &buffer) }
        }
        #expect(Array(frames.readableBytesView) == [0x88, 2, 0x03, 0xF1, 0x89, 0, 0x8A, 2, 1, 2])
    }

    @Test("An idle decoder is small and a large message's memory is given back")
    func memory() {
        #expect(MemoryLayout<WebSocketDecoder>.size <= 9)
        let scratch = ScratchBuffer(idleCapacity: 64)
        _ = scratch.reserve(1_000)
        #expect(scratch.capacity == 1_000)
        scratch.shrink()
        #expect(scratch.capacity == 64)
    }

    @Test("UTF-8 validation agrees with the standard library", arguments: UInt64(1)...10)
    func utf8(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        let pieces: [[UInt8]] = [
            [0x41], Array("é€😀".utf8), [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE0, 0x80, 0x80],
            [0x80], [0xF0, 0x9F], Array("plain ascii text".utf8), [0xF5, 0x80, 0x80, 0x80], [0xEF, 0xBF, 0xBF],
        ]
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...6, using: &generator)).flatMap { _ in
                pieces.randomElement(using: &generator)!
            }
            let expected = String(validating: bytes, as: UTF8.self) != nil
            #expect(bytes.withUnsafeBytes { UTF8Validation.isValid($0) } == expected, "seed \(seed): \(bytes)")
        }
    }
}
