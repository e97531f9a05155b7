import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

@Suite("Sheets of the recovery log")
struct RecoverySheetTests {
    private let node = NodeID.random()

    private func entry(
        _ number: Int64, user: String = "u", kind: RecoveryStream.Kind = .identity, bytes: Int = 10
    ) -> RecoveryEntry {
        RecoveryEntry(
            key: RouteKey(domain: "example.org", user: user),
            mark: RecoveryMark(stream: self.node.stream(kind), number: number), version: 100 - number,
            time: 1_000 + number % 3,
            content: .event(OutboundPacket(text: ByteBuffer(repeating: UInt8(ascii: "x"), count: bytes))))
    }

    private func sizes(_ entries: [RecoveryEntry]) -> [Int] {
        RecoverySheet.sheets(of: entries[...]).map(\.entries.count)
    }

    @Test("Events of one stream share sheets of bounded length and size; nothing is left out")
    func bounds() {
        #expect(self.sizes([]) == [])
        #expect(self.sizes((1...150).map { self.entry($0) }) == [64, 64, 22])
        #expect(self.sizes((1...3).map { self.entry($0, bytes: 30 << 10) }) == [2, 1])
        #expect(self.sizes((1...3).map { self.entry($0, bytes: 100 << 10) }) == [1, 1, 1])
        let entries = (1...200).map { self.entry($0) }
        #expect(RecoverySheet.sheets(of: entries[...]).flatMap(\.entries) == entries)
    }

    @Test("Holes and events, streams, and broadcasts do not share one")
    func kinds() {
        #expect(self.sizes([self.entry(1), self.entry(2).asHole, self.entry(3).asHole, self.entry(4)]) == [1, 2, 1])
        var foreign = self.entry(2)
        foreign.mark = RecoveryMark(stream: NodeID.random().stream(.identity), number: 2)
        #expect(self.sizes([self.entry(1), foreign]) == [1, 1])
        #expect(self.sizes([self.entry(1, kind: .broadcast), self.entry(2, kind: .broadcast)]) == [1, 1])
    }

    @Test("A sheet is found by each of its users, and by its highest number, version and time")
    func heading() throws {
        let entries = [
            self.entry(5, user: "a"), self.entry(6, user: "a"), self.entry(3, user: "b"), self.entry(8, user: "c"),
        ]
        let sheet = try #require(RecoverySheet.sheets(of: entries[...]).first)
        #expect(sheet.keys.map { $0?.user } == ["a", "b", "c"])
        #expect((sheet.number, sheet.version, sheet.time) == (8, 97, 1_002))
    }

    @Test("What was written is read, a hole of every key as well; another format is refused by name")
    func codec() throws {
        var doubt = self.entry(9).asHole
        doubt.key = nil
        for entries in [[self.entry(1), self.entry(2, user: "v")], [self.entry(3).asHole, doubt]] {
            let sheet = try #require(RecoverySheet.sheets(of: entries[...]).first)
            let document = try BSONDocument { writer throws(EnvelopeError) in
                try RecoveryCodec.write(sheet, .current, into: &writer)
            }
            #expect(try RecoveryCodec.decode(document, .current) == entries)
        }
        let old = BSONDocument { $0.append("fv", Int32(1)) }
        #expect(throws: DocumentError.self) { try RecoveryCodec.decode(old, .current) }
    }
}
