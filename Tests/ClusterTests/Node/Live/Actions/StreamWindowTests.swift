import NIOCore
import Testing

@testable import Node

@Suite struct StreamWindowTests {
    private static let start = NIODeadline.uptimeNanoseconds(0)

    private static func bytes(_ count: Int) -> ByteBuffer { ByteBuffer(repeating: 7, count: count) }

    /// A step in few words.
    private static func words(_ step: StreamWindow.Step) -> String {
        switch step {
        case .pull: "pull"
        case .send(let number, let bytes): "send \(number): \(bytes.readableBytes)"
        case .end(let number): "end \(number)"
        case .fail(let number): "fail \(number)"
        case .wait: "wait"
        }
    }

    private static func next(_ window: inout StreamWindow, at now: NIODeadline = start) -> String {
        self.words(window.next(at: now))
    }

    @Test("AC-10: pieces are cut into chunks, and the end is a chunk of its own")
    func chunks() {
        var window = StreamWindow()
        #expect(Self.next(&window) == "pull")
        #expect(Self.next(&window) == "wait")
        window.pulled(Self.bytes(150_000))
        #expect((0..<4).map { _ in Self.next(&window) } == ["send 0: 65536", "send 1: 65536", "send 2: 18928", "pull"])
        window.pulled(Self.bytes(0))
        #expect(Self.next(&window) == "pull")
        window.ended()
        #expect(Self.next(&window) == "end 3")
        #expect(window.isOver)
        #expect(Self.next(&window) == "wait")
        let isKnown = window.acknowledge(through: 2)
        #expect(isKnown)
    }

    @Test("AC-10: at most 8 are unacknowledged, and the source is not asked for more meanwhile")
    func window() {
        var window = StreamWindow()
        for number in 0..<8 {
            #expect(Self.next(&window) == "pull")
            window.pulled(Self.bytes(1))
            #expect(Self.next(&window) == "send \(number): 1")
        }
        #expect(Self.next(&window) == "wait")
        // Numbers that were never sent, or are negative, open nothing.
        #expect([8, -1, .max].map { window.acknowledge(through: $0) } == [false, false, false])
        #expect(Self.next(&window) == "wait")
        let isFirst = window.acknowledge(through: 0)
        #expect(isFirst)
        #expect(Self.next(&window) == "pull")
        window.pulled(Self.bytes(65_537))
        #expect(Self.next(&window) == "send 8: 65536")
        #expect(Self.next(&window) == "wait", "the rest of the piece waits as well")
        let isRepeat = window.acknowledge(through: 0)
        #expect(isRepeat)
        #expect(Self.next(&window) == "wait", "acknowledged once, however often it is said")
        let areAll = window.acknowledge(through: 8)
        #expect(areAll)
        #expect(Self.next(&window) == "send 9: 1")
    }

    @Test("AC-10: a source that fails is told in place of the end")
    func failure() {
        var window = StreamWindow()
        #expect(Self.next(&window) == "pull")
        window.failed()
        #expect(Self.next(&window) == "fail 0")
        #expect(window.isOver)
    }

    @Test("A client that acknowledges nothing stalls; one that waits for the source does not")
    func stall() {
        var window = StreamWindow()
        let limit = TimeAmount.seconds(30)
        #expect(window.stallDeadline(limit) == nil)
        for second in 0..<8 {
            let now = Self.start + .seconds(Int64(second))
            #expect(Self.next(&window, at: now) == "pull")
            window.pulled(Self.bytes(1))
            #expect(Self.next(&window, at: now) == "send \(second): 1")
        }
        #expect(window.stallDeadline(limit) == Self.start + .seconds(37))
        let isKnown = window.acknowledge(through: 3)
        #expect(isKnown)
        #expect(window.stallDeadline(limit) == nil)
        #expect(Self.next(&window) == "pull")
        window.stop()
        #expect(window.isOver)
        #expect(window.stallDeadline(limit) == nil)
        #expect(Self.next(&window) == "wait")
    }

    @Test(
        "AC-10: whatever the pieces and acknowledgements, all bytes go once, in order, within the window",
        arguments: 0..<50)
    func random(seed: UInt64) {
        var generator = StreamTestGenerator(state: seed)
        var window = StreamWindow()
        let total = Int.random(in: 0...600_000, using: &generator)
        var produced = 0
        var sent: [Int] = []
        var acknowledged = 0
        var isPulling = false
        steps: while true {
            switch window.next(at: Self.start) {
            case .pull:
                #expect(!isPulling && sent.count - acknowledged < 8, "seed \(seed)")
                isPulling = true
            case .send(let number, let bytes):
                #expect(number == sent.count && (1...65_536).contains(bytes.readableBytes), "seed \(seed)")
                sent.append(bytes.readableBytes)
                #expect(sent.count - acknowledged <= 8, "seed \(seed)")
            case .end(let number):
                #expect(number == sent.count, "seed \(seed)")
                break steps
            case .fail: Issue.record("seed \(seed): nothing failed")
            case .wait:
                if isPulling, Bool.random(using: &generator) || acknowledged == sent.count {
                    isPulling = false
                    if produced == total {
                        window.ended()
                    } else {
                        let piece = min(Int.random(in: 0...200_000, using: &generator), total - produced)
                        produced += piece
                        window.pulled(Self.bytes(piece))
                    }
                } else if acknowledged < sent.count {
                    let number = Int.random(in: acknowledged..<sent.count, using: &generator)
                    let isKnown = window.acknowledge(through: number)
                    #expect(isKnown, "seed \(seed)")
                    acknowledged = number + 1
                }
            }
        }
        #expect(sent.reduce(0, +) == total, "seed \(seed)")
    }
}

/// SplitMix64: the same numbers for the same seed.
private struct StreamTestGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
