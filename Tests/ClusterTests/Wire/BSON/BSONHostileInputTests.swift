import NIOCore
import Routing
import Testing

@testable import Wire

@Suite("BSON from elsewhere (SPEC OP-4)")
struct BSONHostileInputTests {
    private static func write(
        depth: Int, using generator: inout SplitMix64, into writer: inout BSONWriter
    ) {
        for index in 0..<Int.random(in: 0...5, using: &generator) {
            let name = "k\(index)"
            switch Int.random(in: 0...8, using: &generator) {
            case 0: writer.append(name, Int32.random(in: .min ... .max, using: &generator))
            case 1: writer.append(name, Int64.random(in: .min ... .max, using: &generator))
            case 2: writer.append(name, String(repeating: "é", count: Int.random(in: 0...9, using: &generator)))
            case 3: writer.append(name, BSONBinary((0..<5).map { _ in UInt8.random(in: 0...255, using: &generator) }))
            case 4: writer.append(name, Bool.random(using: &generator))
            case 5: writer.append(name, Double.random(in: 0...1, using: &generator))
            case 6: writer.append(name, BSONTimestamp(seconds: 1, increment: 2))
            case 7 where depth > 0:
                writer.document(name) { self.write(depth: depth - 1, using: &generator, into: &$0) }
            case 8 where depth > 0:
                writer.array(name) { $0.documentElement { self.write(depth: depth - 1, using: &generator, into: &$0) } }
            default: writer.append(name, BSONNull())
            }
        }
    }

    /// Reads everything that can be read, through every getter.
    @discardableResult
    private static func exhaust(_ document: BSONDocument) -> Int {
        var count = 0
        for element in document {
            count += 1 + element.name.utf8.count + (element.string?.utf8.count ?? 0) + element.rawValue.readableBytes
            count += element.int64.map { _ in 1 } ?? 0
            count += element.double.map { _ in 1 } ?? 0
            count += element.date.map { _ in 1 } ?? 0
            count += element.timestamp.map { _ in 1 } ?? 0
            count += element.binary?.readableBytes ?? 0
            count += element.isTrue ? 1 : 0
            if let nested = element.document ?? element.array { count += self.exhaust(nested) }
        }
        return count
    }

    @Test("OP-4, CVE-2025-61765: mutated documents are refused or read, never a crash", arguments: UInt64(1)...40)
    func mutations(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<60 {
            var writer = BSONWriter()
            Self.write(depth: 4, using: &generator, into: &writer)
            let sound = writer.finish()
            try Self.exhaust(BSONDocument(sound))
            for _ in 0..<25 {
                var bytes = Array(sound.readableBytesView)
                for _ in 0...Int.random(in: 0...3, using: &generator) {
                    let place = bytes.indices.randomElement(using: &generator) ?? 0
                    bytes[place] =
                        [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &generator)]
                        .randomElement(using: &generator) ?? 0
                }
                if Bool.random(using: &generator) {
                    bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
                }
                if let document = try? BSONDocument(ByteBuffer(bytes: bytes)) { Self.exhaust(document) }
                // Also without the check before: nested lengths are checked again where they are used.
                Self.exhaust(BSONDocument(checked: ByteBuffer(bytes: bytes)))
            }
        }
    }

    @Test("OP-4: arbitrary bytes are refused or read, never a crash", arguments: UInt64(1)...20)
    func noise(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<2_000 {
            var buffer = ByteBuffer(
                bytes: (0..<Int.random(in: 0...64, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                })
            if buffer.readableBytes >= 4 { buffer.setInteger(Int32(buffer.readableBytes), at: 0, endianness: .little) }
            if let document = try? BSONDocument(buffer) { Self.exhaust(document) }
            Self.exhaust(BSONDocument(checked: buffer))
        }
    }

    @Test("Every prefix of a document is refused")
    func prefixes() throws {
        let sound = BSONWriter.document { writer in
            writer.append("a", "text")
            writer.document("b") { $0.append("c", BSONBinary([1, 2])) }
        }
        for length in 0..<sound.readableBytes {
            let part = try #require(sound.getSlice(at: 0, length: length))
            #expect(throws: BSONError.self) { try BSONDocument(part) }
        }
    }

    @Test("Nesting beyond the limit is refused, without recursion", arguments: [100, 101, 50_000])
    func depth(levels: Int) throws {
        var buffer = ByteBuffer()
        var remaining = 5 + 8 * levels
        for _ in 0..<levels {
            buffer.writeInteger(Int32(remaining), endianness: .little)
            buffer.writeBytes([0x03, 0x61, 0])
            remaining -= 8
        }
        buffer.writeInteger(Int32(5), endianness: .little)
        buffer.writeRepeatingByte(0, count: levels + 1)
        if levels <= BSONDocument.maximumDepth {
            #expect(try BSONDocument(buffer)["a"]?.document != nil)
        } else {
            let error = #expect(throws: BSONError.self) { try BSONDocument(buffer) }
            #expect(error?.code == .tooDeep)
        }
    }

    @Test("A document above the size limit is refused before it is looked at")
    func size() {
        let error = #expect(throws: BSONError.self) {
            try BSONDocument(BSONWriter.document { $0.append("a", "text") }, maximumSize: 10)
        }
        #expect(error?.code == .tooLarge)
    }
}
