import NIOCore
import Testing

@testable import Routing
@testable import Wire

@Suite struct AddressLedgerTests {
    private static let start = NIODeadline.uptimeNanoseconds(1 << 40)

    private func key(_ number: Int) -> AddressKey {
        AddressKey([203, 0, UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)])
    }

    @Test("SOCKETIO §18: an address opens so many sessions, and one more for each that ends")
    func sessions() {
        var ledger = AddressLedger(limits: .init(sessions: 3))
        for _ in 0..<3 { #expect(ledger.open(self.key(1), at: Self.start) == .admitted) }
        #expect(ledger.open(self.key(1), at: Self.start) == .tooManySessions)
        #expect(ledger.open(self.key(2), at: Self.start) == .admitted)
        ledger.close(self.key(1), hasJoined: false, at: Self.start)
        #expect(ledger.open(self.key(1), at: Self.start) == .admitted)
        #expect(ledger.open(self.key(1), at: Self.start) == .tooManySessions)
    }

    @Test("SOCKETIO §18: sessions without CONNECT are counted apart")
    func unjoined() {
        var ledger = AddressLedger(limits: .init(sessions: 4, unjoined: 2))
        for _ in 0..<2 { #expect(ledger.open(self.key(1), at: Self.start) == .admitted) }
        #expect(ledger.open(self.key(1), at: Self.start) == .tooManyUnjoined)
        ledger.join(self.key(1))
        #expect(ledger.open(self.key(1), at: Self.start) == .admitted)
        ledger.close(self.key(1), hasJoined: true, at: Self.start)
        #expect(ledger.open(self.key(1), at: Self.start) == .tooManyUnjoined)
        ledger.close(self.key(1), hasJoined: false, at: Self.start)
        #expect(ledger.open(self.key(1), at: Self.start) == .admitted)
    }

    @Test("SOCKETIO §18: handshakes have a rate, and what another limit refuses costs a token, too")
    func handshakes() {
        let rate = TokenBucket.Rate(perSecond: 1, burst: 3)
        var ledger = AddressLedger(limits: .init(sessions: 1, handshakes: rate))
        #expect(ledger.open(self.key(1), at: Self.start) == .admitted)
        for _ in 0..<2 { #expect(ledger.open(self.key(1), at: Self.start) == .tooManySessions) }
        #expect(ledger.open(self.key(1), at: Self.start) == .tooManyHandshakes)
        #expect(ledger.open(self.key(2), at: Self.start) == .admitted)
        #expect(ledger.open(self.key(1), at: Self.start + .seconds(1)) == .tooManySessions)
    }

    @Test("An entry goes with its last session, or once its bucket is full again")
    func entriesExpire() {
        var ledger = AddressLedger(limits: .init(handshakes: TokenBucket.Rate(perSecond: 1, burst: 5)))
        for number in 0..<10 {
            #expect(ledger.open(self.key(number), at: Self.start) == .admitted)
            ledger.close(self.key(number), hasJoined: false, at: Self.start + .seconds(number < 5 ? 0 : 1))
        }
        #expect(ledger.count == 5)
        ledger.sweep(at: Self.start + .milliseconds(999))
        #expect(ledger.count == 5)
        ledger.sweep(at: Self.start + .seconds(1))
        #expect(ledger.count == 0)
    }

    @Test("A full ledger drops what is of no use, then admits without counting; those it has stay limited")
    func full() {
        let rate = TokenBucket.Rate(perSecond: 1, burst: 2)
        var ledger = AddressLedger(limits: .init(sessions: 1, handshakes: rate, capacity: 4))
        for number in 0..<4 { #expect(ledger.open(self.key(number), at: Self.start) == .admitted) }
        #expect(ledger.open(self.key(4), at: Self.start) == .uncounted)
        #expect(ledger.open(self.key(4), at: Self.start) == .uncounted)
        #expect(ledger.open(self.key(0), at: Self.start) == .tooManySessions)
        #expect(ledger.count == 4)
        // Its bucket still says something for a second; sweeps are a second apart.
        ledger.close(self.key(0), hasJoined: false, at: Self.start)
        #expect(ledger.open(self.key(4), at: Self.start + .milliseconds(500)) == .uncounted)
        #expect(ledger.open(self.key(4), at: Self.start + .seconds(3)) == .admitted)
        #expect(ledger.count == 4)
    }

    @Test("Whatever happens, nothing is left once all sessions have ended", arguments: [1, 2, 3])
    func random(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let limits = AddressLedger.Limits(
            sessions: 5, unjoined: 3, handshakes: TokenBucket.Rate(perSecond: 2, burst: 6), capacity: 16)
        var ledger = AddressLedger(limits: limits)
        var now = Self.start
        var open: [(key: AddressKey, hasJoined: Bool)] = []
        for _ in 0..<20_000 {
            now = now + .milliseconds(Int64(random.next() % 50))
            switch random.next() % 4 {
            case 0, 1:
                let key = self.key(Int(random.next() % 24))
                let held = open.filter { $0.key == key }
                switch ledger.open(key, at: now) {
                case .admitted:
                    #expect(held.count < 5 && held.filter { !$0.hasJoined }.count < 3, "seed \(seed)")
                    open.append((key, false))
                case .tooManySessions: #expect(held.count == 5, "seed \(seed)")
                case .tooManyUnjoined: #expect(held.filter { !$0.hasJoined }.count == 3, "seed \(seed)")
                case .tooManyHandshakes: break
                case .uncounted: #expect(held.isEmpty && ledger.count == 16, "seed \(seed)")
                }
            case 2:
                guard let index = open.indices.randomElement(using: &random) else { continue }
                if !open[index].hasJoined {
                    open[index].hasJoined = true
                    ledger.join(open[index].key)
                }
            default:
                guard let index = open.indices.randomElement(using: &random) else { continue }
                let session = open.remove(at: index)
                ledger.close(session.key, hasJoined: session.hasJoined, at: now)
            }
            #expect(ledger.count <= 16, "seed \(seed)")
        }
        for session in open { ledger.close(session.key, hasJoined: session.hasJoined, at: now) }
        ledger.sweep(at: now + .seconds(3))
        #expect(ledger.count == 0, "seed \(seed)")
    }

    @Test("TR-2: an IPv6 client is its /64; IPv4 and IPv6 addresses never meet")
    func keys() {
        let network: [UInt8] = [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 1]
        let one = AddressKey(network + [0, 0, 0, 0, 0, 0, 0, 1])
        #expect(one == AddressKey(network + [9, 9, 9, 9, 9, 9, 9, 9]))
        #expect(one != AddressKey([0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 2] + [0, 0, 0, 0, 0, 0, 0, 1]))
        #expect(AddressKey([192, 0, 2, 1]) != AddressKey([192, 0, 2, 2]))
        #expect(AddressKey([UInt8](repeating: 0, count: 15) + [1]) != .none)
        #expect(AddressKey([0, 0, 0, 0]) != .none)
        #expect(MemoryLayout<AddressKey>.size == 8)
    }
}
