import NIOCore
import Routing
import Testing

@testable import Wire

/// The offset of connection state recovery (SOCKETIO §14.1, §14.2).
@Suite struct RecoveryPositionTests {
    private static let now: Int64 = 1_800_000_000
    private static let window: Int64 = 120

    private static func stream(_ number: UInt64, _ kind: RecoveryStream.Kind = .identity) -> RecoveryStream {
        RecoveryStream(sender: number &* 0x9E37_79B9_7F4A_7C15, kind: kind)
    }

    private static func mark(_ sender: UInt64, _ number: Int64) -> RecoveryMark {
        RecoveryMark(stream: self.stream(sender), number: number)
    }

    private static func read(_ text: ByteBuffer) -> RecoveryPosition? {
        RecoveryPosition(text: String(buffer: text), now: self.now, window: self.window)
    }

    private static func marks(_ position: RecoveryPosition?) -> [RecoveryMark]? { position?.marks }

    @Test(
        "The text of a position is its position, for every size up to the limit",
        arguments: 0...RecoveryPosition.streamLimit)
    func roundTrip(count: Int) throws {
        var position = RecoveryPosition()
        for sender in 0..<UInt64(count) {
            let kind: RecoveryStream.Kind = sender % 3 == 0 ? .broadcast : .identity
            let number = Int64(1) << Int64(sender % 40)
            _ = position.raise(to: RecoveryMark(stream: Self.stream(sender, kind), number: number), now: Self.now)
        }
        let text = position.text
        #expect(text.readableBytes <= RecoveryPosition.maximumTextBytes)
        #expect(Self.read(text) == position)
    }

    @Test("The longest numbers of many streams, or too many streams, cannot be told: that is said, not cut")
    func lost() {
        var position = RecoveryPosition()
        for sender in 0..<UInt64(RecoveryPosition.streamLimit + 1) {
            _ = position.raise(to: Self.mark(sender, 1), now: Self.now)
        }
        #expect(String(buffer: position.text) == "0")
        #expect(Self.read(position.text) == nil)
        var long = RecoveryPosition()
        for sender in 0..<UInt64(RecoveryPosition.streamLimit) {
            _ = long.raise(to: Self.mark(sender, RecoveryMark.numberLimit - 1), now: Self.now)
        }
        #expect(long.text.readableBytes <= RecoveryPosition.maximumTextBytes)
    }

    @Test("A position only rises, and says when an event is not new")
    func raising() {
        var position = RecoveryPosition()
        let isNew = [(1, 5), (1, 5), (1, 4), (1, 9), (2, 1)].map { (sender: UInt64, number: Int64) in
            position.raise(to: Self.mark(sender, number), now: Self.now)
        }
        #expect(isNew == [true, false, false, true, true])
        #expect(position.covers(Self.mark(1, 9)))
        #expect(!position.covers(Self.mark(1, 10)))
        #expect(!position.covers(Self.mark(3, 1)))
        var other = RecoveryPosition()
        _ = other.raise(to: Self.mark(1, 7), now: Self.now)
        _ = other.raise(to: Self.mark(3, 2), now: Self.now)
        #expect(!other.isCovered(by: position))
        position.merge(other)
        #expect(other.isCovered(by: position))
        #expect(position[Self.stream(1)] == 9)
        #expect(position[Self.stream(3)] == 2)
    }

    @Test("A silent stream is forgotten, and what it sent stays given")
    func pruning() {
        var position = RecoveryPosition()
        _ = position.raise(to: Self.mark(1, 5), now: Self.now)
        let idle = Self.window + RecoveryPosition.idleMargin
        _ = position.raise(to: Self.mark(2, 5), now: Self.now + idle)
        position.prune(now: Self.now + idle, window: Self.window)
        #expect(position.marks.count == 2)
        let before = position
        position.prune(now: Self.now + idle + 1, window: Self.window)
        #expect(position.marks == [Self.mark(2, 5)])
        #expect(position.floor == Self.now + RecoveryPosition.slack)
        #expect(before.isCovered(by: position))
        let text = String(buffer: position.text)
        #expect(RecoveryPosition(text: text, now: Self.now + idle + 1, window: Self.window)?.floor == position.floor)
    }

    @Test(
        "What a client presents is refused unless it is exactly what was made",
        arguments: [
            "", "0", "1", "2AA", "1A", "1AB", "1A=", "1AA==", "1é", "1 AA", "1gAA", "1AAAAAAAAAAI\n",
            // A floor within the window, a varint that is too long, a stream without a number, number 0.
            "1_____w8", "1____________", "1AAAAAAAAAA", "1AAAAAAAAAAA", "null", "[]", "{}",
        ])
    func hostile(text: String) {
        #expect(RecoveryPosition(text: text, now: Self.now, window: Self.window) == nil)
    }

    @Test(
        "No text makes the reader trap, and every text that it takes is the one that it makes",
        arguments: 0..<UInt64(20))
    func noise(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.\u{7f}é")
        var position = RecoveryPosition()
        for sender in 0..<UInt64(5) { _ = position.raise(to: Self.mark(sender, 300), now: Self.now) }
        let good = Array(String(buffer: position.text))
        for _ in 0..<2_000 {
            var text = Bool.random(using: &generator) ? good : [good[0]]
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                let digit = digits[Int.random(in: 0..<digits.count, using: &generator)]
                if Bool.random(using: &generator), !text.isEmpty {
                    text[Int.random(in: 0..<text.count, using: &generator)] = digit
                } else {
                    text.append(digit)
                }
            }
            guard let read = RecoveryPosition(text: String(text), now: Self.now, window: Self.window) else { continue }
            #expect(String(buffer: read.text) == String(text), "seed \(seed)")
        }
        let long = "1" + String(repeating: "A", count: RecoveryPosition.maximumTextBytes)
        #expect(RecoveryPosition(text: long, now: Self.now, window: Self.window) == nil)
    }

    @Test("Streams are told apart by sender and kind, in documents too")
    func codes() {
        let one = RecoveryStream(sender: 0xFFFF_FFFF_FFFF, kind: .broadcast)
        #expect(RecoveryStream(code: one.code) == one)
        #expect(one != RecoveryStream(sender: 0xFFFF_FFFF_FFFF, kind: .identity))
        #expect(RecoveryStream(code: -1) == nil)
        #expect(RecoveryStream(code: 2) == nil)
        #expect(RecoveryStream(code: 1 << 56) == nil)
    }
}

/// SOCKETIO §14.1.2: events get a trailing argument, everything else stays as it is.
@Suite struct PacketOffsetTests {
    @Test(
        "An event without an ack id ends with its offset",
        arguments: [
            (#"2["x"]"#, #"2["x","off"]"#), (#"2["x",1,[2]]"#, #"2["x",1,[2],"off"]"#),
            (#"2/a,["x"]"#, #"2/a,["x","off"]"#), (#"2/a[1],["x"]"#, #"2/a[1],["x","off"]"#),
            (
                #"51-["x",{"_placeholder":true,"num":0}]"#, #"51-["x",{"_placeholder":true,"num":0},"off"]"#
            ),
            (
                #"51-/a-b,["x",{"_placeholder":true,"num":0}]"#,
                #"51-/a-b,["x",{"_placeholder":true,"num":0},"off"]"#
            ),
        ])
    func appends(packet: String, expected: String) {
        let attachments = packet.hasPrefix("5") ? [ByteBuffer(bytes: [1, 2])] : []
        let result = OutboundPacket(text: ByteBuffer(string: packet), attachments: attachments)
            .appendingOffset(ByteBuffer(string: "off"))
        #expect(String(buffer: result.text) == expected)
        #expect(result.attachments == attachments)
    }

    @Test(
        "Packets with an ack id, and packets that are no events, stay as they are",
        arguments: [
            #"27["x"]"#, #"2/a,7["x"]"#, #"51-7["x",{"_placeholder":true,"num":0}]"#,
            #"51-/a,7["x",{"_placeholder":true,"num":0}]"#, #"37["x"]"#, #"61-7[{"_placeholder":true,"num":0}]"#,
            #"0{"sid":"x"}"#, "1", #"4{"message":"x"}"#, "", "2", "5", "51-", "2/a", "9[]",
        ])
    func leaves(packet: String) {
        let packet = OutboundPacket(text: ByteBuffer(string: packet))
        #expect(packet.appendingOffset(ByteBuffer(string: "off")) == packet)
        #expect(!packet.takesOffset)
    }
}
