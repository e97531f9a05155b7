import Testing

@testable import Routing

/// SPEC EV-1: which sends share a route read.
@Suite struct RouteReadQueueTests {
    private let a = RouteKey(domain: "d", user: "a")
    private let b = RouteKey(domain: "d", user: "b")

    @Test("EV-1: what waits for a key shares one read, in the order of its arrival")
    func sharing() {
        var queue = RouteReadQueue<Int>(countLimit: 10, byteLimit: 1_000, batch: 10)
        for (send, key) in [(1, self.a), (2, self.b), (3, self.a)] {
            let isTaken = queue.add(send, to: key, bytes: 10)
            #expect(isTaken)
        }
        let round = queue.next()
        #expect(round?.map(\.key) == [self.a, self.b])
        #expect(round?.map(\.sends) == [[1, 3], [2]])
        #expect(queue.next() == nil)
    }

    @Test("EV-1: a read serves only sends handed in before it was issued; one read per key is under way")
    func oneReadPerKey() {
        var queue = RouteReadQueue<Int>(countLimit: 10, byteLimit: 1_000, batch: 10)
        _ = queue.add(1, to: self.a, bytes: 10)
        _ = queue.next()
        _ = queue.add(2, to: self.a, bytes: 10)
        #expect(queue.next() == nil)
        _ = queue.add(3, to: self.b, bytes: 10)
        #expect(queue.next()?.map(\.key) == [self.b])
        queue.read(1)
        queue.finish([self.a])
        let round = queue.next()
        #expect(round?.map(\.key) == [self.a])
        #expect(round?.map(\.sends) == [[2]])
    }

    @Test("Beside what is being read goes only as much again, or a whole read (ADR 0036)")
    func heldBack() {
        var queue = RouteReadQueue<Int>(countLimit: 100, byteLimit: 1_000, batch: 3)
        let keys = (0..<10).map { RouteKey(domain: "d", user: "\($0)") }
        _ = queue.add(0, to: keys[0], bytes: 1)
        #expect(queue.next()?.count == 1)
        _ = queue.add(1, to: keys[1], bytes: 1)
        #expect(queue.next()?.count == 1)
        _ = queue.add(2, to: keys[2], bytes: 1)
        #expect(queue.next() == nil, "one beside two")
        _ = queue.add(3, to: keys[3], bytes: 1)
        #expect(queue.next()?.map(\.key) == [keys[2], keys[3]])
        for number in 4...6 { _ = queue.add(number, to: keys[number], bytes: 1) }
        #expect(queue.next()?.count == 3, "a whole read goes beside any number")
        _ = queue.add(7, to: keys[7], bytes: 1)
        #expect(queue.next() == nil, "one beside seven")
        queue.read(6)
        #expect(queue.next()?.map(\.key) == [keys[7]], "one beside one whose document has not come")
    }

    @Test("The last send that is not handed over: one that waits, else one whose route is being read")
    func last() {
        var queue = RouteReadQueue<Int>(countLimit: 10, byteLimit: 1_000, batch: 10)
        #expect(queue.last(to: self.a) == nil)
        _ = queue.add(1, to: self.a, bytes: 10)
        _ = queue.add(2, to: self.a, bytes: 10)
        #expect(queue.last(to: self.a) == 2)
        _ = queue.next()
        #expect(queue.last(to: self.a) == 2 && queue.last(to: self.b) == nil)
        _ = queue.add(3, to: self.a, bytes: 10)
        #expect(queue.last(to: self.a) == 3)
        queue.finish([self.a])
        _ = queue.next()
        #expect(queue.last(to: self.a) == 3)
        queue.finish([self.a])
        #expect(queue.last(to: self.a) == nil)
    }

    @Test("A full queue refuses; what is taken out makes room")
    func bounded() {
        var queue = RouteReadQueue<Int>(countLimit: 2, byteLimit: 1_000, batch: 1)
        #expect(
            [
                queue.add(1, to: self.a, bytes: 10), queue.add(2, to: self.b, bytes: 10),
                queue.add(3, to: self.a, bytes: 10),
            ] == [true, true, false])
        #expect(queue.next()?.map(\.key) == [self.a])
        let isTaken = queue.add(4, to: self.a, bytes: 10)
        #expect(isTaken)
        #expect(queue.count == 2)
        let isTooLarge = queue.add(5, to: self.a, bytes: 1_000)
        #expect(isTooLarge == false)
        #expect(queue.bytes == 20)
        #expect(queue.drain().sorted() == [2, 4])
        #expect(queue.count == 0)
    }
}

extension RouteReadQueueTests {
    /// Random arrivals and answers: nothing is lost, doubled or reordered per key.
    @Test("Property: every send is served once, in order per key", arguments: [UInt64(7), 8, 9])
    func property(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var queue = RouteReadQueue<Int>(countLimit: 1_000, byteLimit: 100_000, batch: 3)
        let keys = (0..<7).map { RouteKey(domain: "d", user: "u\($0)") }
        var reading: [[RouteKey]] = []
        var served: [RouteKey: [Int]] = [:]
        var sent: [RouteKey: [Int]] = [:]
        for send in 0..<3_000 {
            let key = keys[Int(random.next() % 7)]
            if queue.add(send, to: key, bytes: 10) { sent[key, default: []].append(send) }
            if random.next() % 2 == 0, let round = queue.next() {
                for (key, sends) in round {
                    #expect(!reading.joined().contains(key))
                    served[key, default: []] += sends
                }
                reading.append(round.map(\.key))
            }
            if random.next() % 3 != 0, !reading.isEmpty {
                let keys = reading.remove(at: Int(random.next() % UInt64(reading.count)))
                queue.read(keys.count)
                queue.finish(keys)
            }
        }
        for keys in reading {
            queue.read(keys.count)
            queue.finish(keys)
        }
        while let round = queue.next() {
            for (key, sends) in round { served[key, default: []] += sends }
            queue.read(round.count)
            queue.finish(round.map(\.key))
        }
        #expect(served == sent, "seed \(seed)")
    }
}
