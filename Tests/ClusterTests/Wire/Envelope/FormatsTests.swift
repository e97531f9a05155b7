import NIOCore
import Testing
import Wire

@Suite("Formats") struct FormatsTests {
    /// Four versions after one another: each raises what is read, or what is written, by one at the most.
    private static let versions = [
        Formats(newest: 1, written: 1), Formats(newest: 2, written: 1), Formats(newest: 2, written: 2),
        Formats(newest: 3, written: 2),
    ]

    @Test("ND-6, ND-12: neighbouring versions read what the other writes, whichever comes first or back")
    func neighbours() throws {
        for (older, newer) in zip(Self.versions, Self.versions.dropFirst()) {
            for (writer, reader) in [(older, newer), (newer, older)] {
                #expect(reader.interoperate(reads: writer.newest, writes: writer.written))
                let messages = [BusMessage(kind: .kick, key: "d/u", payload: ByteBuffer())]
                let batch = try MessageBatch.encode(messages, writer)
                #expect(batch.getInteger(at: 0, as: UInt8.self) == UInt8(writer.written))
                #expect(try MessageBatch.decode(batch, reader).messages == messages)
            }
        }
    }

    @Test("ND-12: versions further apart do not run side by side where the older one cannot read what is written")
    func strangers() throws {
        let first = Self.versions[0]
        let third = Self.versions[2]
        #expect(!first.interoperate(reads: third.newest, writes: third.written))
        #expect(!third.interoperate(reads: first.newest, writes: first.written))
        let batch = try MessageBatch.encode([], third)
        #expect(throws: EnvelopeError.unknownVersion(2)) { try MessageBatch.decode(batch, first) }
    }

    @Test("ND-6: a refusal has a name, says what is read, and what to do")
    func refusal() {
        let formats = Self.versions[3]
        #expect((0...5).map(formats.reads) == [false, true, true, true, false, false])
        let newer = formats.refusal(of: 4)
        #expect(newer.hasPrefix("UNKNOWN_FORMAT 4: "))
        #expect(newer.contains("1 to 3") && newer.contains("Upgrade this node first") && newer.contains("node by node"))
        #expect(formats.refusal(of: 0).hasPrefix("UNKNOWN_FORMAT 0: no version"))
    }

    @Test("This version has one form, and an envelope that carries nothing is read by all")
    func current() throws {
        #expect(Formats.current == Formats(newest: 1, written: 1))
        for formats in Self.versions { #expect(try MessageBatch.decode(MessageBatch.empty, formats).messages.isEmpty) }
    }
}
