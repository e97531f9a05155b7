import Routing
import Synchronization
import Testing
import Wire

@Suite("What a node has handed out of the outbox") struct PostingLedgerTests {
    private let stream = RecoveryStream(sender: 7, kind: .identity)

    private func mark(_ number: Int64, floor: Int64 = 1) -> PostingMark {
        PostingMark(stream: self.stream, number: number, floor: floor)
    }

    @Test("A number is admitted once, in whatever order they come")
    func once() {
        let ledger = PostingLedger()
        for number in [Int64(3), 1, 2] { #expect(ledger.admit(self.mark(number))) }
        for number in [Int64(1), 2, 3] { #expect(!ledger.admit(self.mark(number))) }
        #expect(ledger.admit(PostingMark(stream: RecoveryStream(sender: 8, kind: .identity), number: 1, floor: 1)))
    }

    private final class Clock: Sendable {
        let now = Atomic<Int64>(0)
        func advance(seconds: Int64) { self.now.add(Nanoseconds.seconds(seconds), ordering: .relaxed) }
    }

    @Test("What is below a floor may be under way for two minutes, and never comes after that, whoever says so")
    func floor() {
        let clock = Clock()
        let ledger = PostingLedger { clock.now.load(ordering: .relaxed) }
        #expect(ledger.admit(self.mark(10, floor: 8)))
        #expect(ledger.admit(self.mark(6, floor: 3)))
        clock.advance(seconds: 121)
        #expect(!ledger.admit(self.mark(7, floor: 3)))
        #expect(!ledger.admit(self.mark(6, floor: 3)))
        #expect(ledger.admit(self.mark(8, floor: 3)))
        #expect(!ledger.admit(self.mark(10, floor: 3)))
    }

    @Test("It is bounded: beyond the limit the lowest are forgotten")
    func bounded() {
        let ledger = PostingLedger(numberLimit: 4)
        for number in Int64(1)...5 { #expect(ledger.admit(self.mark(number))) }
        #expect(!ledger.admit(self.mark(5)))
        #expect(ledger.admit(self.mark(1)))
    }

    @Test("A mark survives its text, and nothing else is one", arguments: [true, false])
    func text(isLogged: Bool) {
        let mark = PostingMark(stream: self.stream, number: 1 << 40, floor: 5, isLogged: isLogged)
        #expect(PostingMark(mark.text) == mark)
        for text in ["", "1-2", "1-2-3", "1-0-0", "x-2-1", "1-2-1-x", "-1-2-1", "1-2-0", "1-4611686018427387904-1"] {
            #expect(PostingMark(text) == nil, "\(text)")
        }
    }
}
