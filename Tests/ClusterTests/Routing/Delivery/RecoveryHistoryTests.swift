import NIOCore
import Testing

@testable import Routing
@testable import Wire

/// What is replayed, and when history is said to be incomplete (SOCKETIO §14.1.6, §14.2).
@Suite struct RecoveryHistoryTests {
    private let alice = RouteKey(domain: "d", user: "alice")
    private let one = NodeID(high: 1 << 40, low: 0).stream(.identity)
    private let two = NodeID(high: 2 << 40, low: 0).stream(.identity)
    private let now: Int64 = 1_800_000_000

    private func query(
        _ position: [(RecoveryStream, Int64)] = [], base: Int64 = 5, first: Int64 = 0, rooms: [String] = []
    ) -> RecoveryQuery {
        var start = RecoveryPosition()
        for (stream, number) in position {
            _ = start.raise(to: RecoveryMark(stream: stream, number: number), now: self.now)
        }
        return RecoveryQuery(
            key: self.alice, client: "phone", socket: SocketID(node: NodeID(high: 1, low: 1), high: 1, low: 1),
            position: start, base: base, since: self.now * 1000, first: self.now * 1000 + first, rooms: rooms,
            now: self.now)
    }

    private func entry(
        _ stream: RecoveryStream, _ number: Int64, at time: Int64 = 0, version: Int64 = 5, client: String? = nil,
        socket: SocketID? = nil, isHole: Bool = false
    ) -> RecoveryEntry {
        let entry = RecoveryEntry(
            key: self.alice, mark: RecoveryMark(stream: stream, number: number), version: version, client: client,
            socket: socket, time: self.now * 1000 + time,
            content: .event(OutboundPacket(text: ByteBuffer(string: "2[\"\(number)\"]"))))
        return isHole ? entry.asHole : entry
    }

    private func broadcast(
        _ stream: RecoveryStream, _ number: Int64, at time: Int64 = 0, to rooms: [String] = [], except: [String] = []
    ) -> RecoveryEntry {
        var entry = self.entry(stream, number, at: time, version: 0)
        entry.key = RecoveryEntry.scopeKey(of: self.alice.domain)
        entry.target = RoomTarget(rooms: rooms, except: except)
        return entry
    }

    @Test("§14.2: broadcasts for all, for its rooms and its own id; none that excepts them, or was sent before it came")
    func broadcasts() {
        let stream = NodeID(high: 3 << 40, low: 0).stream(.broadcast)
        let own = self.query().socket.text
        let entries = [
            self.broadcast(stream, 1, at: -1_000), self.broadcast(stream, 2, at: -999),
            self.broadcast(stream, 3, to: ["b", "a"]), self.broadcast(stream, 4, to: ["b"]),
            self.broadcast(stream, 5, to: [own]), self.broadcast(stream, 6, except: ["a"]),
            self.broadcast(stream, 7, to: ["a"], except: [own]), self.broadcast(stream, 8, except: ["b"]),
        ]
        func numbers(_ query: RecoveryQuery) -> [Int64] {
            let history = RecoveryHistory(entries, for: query, reachesBack: true)
            #expect(history.isComplete)
            return self.numbers(history)
        }
        #expect(numbers(self.query(rooms: ["a"])) == [2, 3, 5, 8])
        #expect(numbers(self.query()) == [2, 5, 6, 8])
        #expect(numbers(self.query([(stream, 4)], rooms: ["a"])) == [5, 8])
        // Known, but heard of late.
        #expect(numbers(self.query([(stream, 1)], first: 1_000, rooms: ["a"])) == [])
    }

    @Test("§14.1.6: a hole of a broadcast concerns those who are in its rooms")
    func broadcastHoles() {
        let stream = NodeID(high: 3 << 40, low: 0).stream(.broadcast)
        let hole = self.broadcast(stream, 2, to: ["a"]).asHole
        func isComplete(_ query: RecoveryQuery) -> Bool {
            RecoveryHistory([hole], for: query, reachesBack: true).isComplete
        }
        #expect(!isComplete(self.query(rooms: ["a"])))
        #expect(!isComplete(self.query([(stream, 1)], rooms: ["b", "a"])))
        #expect(isComplete(self.query([(stream, 2)], rooms: ["a"])))
        #expect(isComplete(self.query(rooms: ["b"])))
    }

    private func numbers(_ history: RecoveryHistory) -> [Int64] { history.events.map(\.mark.number) }

    @Test("By number within a stream, by time across streams, each once")
    func order() {
        let history = RecoveryHistory(
            [
                self.entry(self.two, 20, at: 3), self.entry(self.one, 2, at: 1), self.entry(self.one, 3, at: 0),
                self.entry(self.one, 1, at: 0), self.entry(self.two, 21, at: 4), self.entry(self.one, 2, at: 1),
            ], for: self.query(), reachesBack: true)
        #expect(history.isComplete)
        #expect(self.numbers(history) == [1, 2, 3, 20, 21])
        #expect(history.position[self.one] == 3)
        #expect(history.position[self.two] == 21)
    }

    @Test("Of a known sender what is newer; of an unknown one what was sent since the connection was there")
    func choice() {
        let entries = [
            self.entry(self.one, 4), self.entry(self.one, 5, version: 1), self.entry(self.two, 1, version: 4),
            self.entry(self.two, 2, version: 5), self.entry(self.one, 6, client: "laptop"),
            self.entry(self.one, 7, client: "phone"), self.entry(self.one, 8, socket: self.query().socket),
            self.entry(self.one, 9, socket: SocketID(node: NodeID(high: 1, low: 1), high: 2, low: 2)),
        ]
        let history = RecoveryHistory(entries, for: self.query([(self.one, 4)]), reachesBack: true)
        #expect(Set(self.numbers(history)) == [5, 2, 7, 8])
    }

    @Test("A stream that was forgotten is not replayed from before")
    func floor() {
        var query = self.query()
        query.position = RecoveryPosition(entries: [], floor: self.now - 300)
        let history = RecoveryHistory(
            [self.entry(self.one, 1, at: -300_000), self.entry(self.one, 2, at: -299_999)], for: query,
            reachesBack: true)
        #expect(self.numbers(history) == [2])
    }

    @Test("A hole that concerns the client means not recovered, unless the event is there after all")
    func holes() {
        let known = self.query([(self.one, 4)])
        func isComplete(_ entries: [RecoveryEntry], _ query: RecoveryQuery) -> Bool {
            RecoveryHistory(entries, for: query, reachesBack: true).isComplete
        }
        #expect(!isComplete([self.entry(self.one, 5, isHole: true)], known))
        #expect(isComplete([self.entry(self.one, 4, isHole: true)], known))
        #expect(isComplete([self.entry(self.one, 5, isHole: true), self.entry(self.one, 5)], known))
        #expect(isComplete([self.entry(self.one, 5, client: "laptop", isHole: true)], known))
        #expect(!isComplete([self.entry(self.two, 5, isHole: true)], known))
        #expect(isComplete([self.entry(self.two, 5, version: 4, isHole: true)], known))
        var doubt = self.entry(self.one, 9, at: -RecoveryQuery.margin, isHole: true)
        doubt.key = nil
        #expect(!isComplete([doubt], known))
        doubt.time -= 1
        #expect(isComplete([doubt], known))
    }

    @Test("What was overwritten, and more than is replayed, mean not recovered")
    func limits() {
        #expect(!RecoveryHistory([], for: self.query(), reachesBack: false).isComplete)
        var query = self.query()
        query.limits.events = 2
        let entries = (1...3).map { self.entry(self.one, Int64($0)) }
        #expect(RecoveryHistory(entries.dropLast(), for: query, reachesBack: true).isComplete)
        let over = RecoveryHistory(entries, for: query, reachesBack: true)
        #expect(!over.isComplete && over.events.isEmpty)
        query.limits.events = 3
        query.limits.bytes = 2 * 6
        #expect(!RecoveryHistory(entries, for: query, reachesBack: true).isComplete)
    }

    @Test("Holes are remembered until they are in the log; too many put the place in doubt")
    func remembering() {
        var holes = RecoveryHoles(stream: self.one, limit: 2)
        let bob = RouteKey(domain: "d", user: "bob")
        var foreign = self.entry(self.one, 2)
        foreign.key = bob
        holes.add([self.entry(self.one, 1), foreign], at: "p")
        #expect(holes.places == ["p"])
        #expect(holes.pending(at: "p", keys: [bob], limit: 0) == [foreign.asHole])
        #expect(holes.pending(at: "other", keys: [bob]).isEmpty)
        holes.add([self.entry(self.one, 3, at: 7)], at: "p")
        let all = holes.pending(at: "p", keys: [self.alice])
        #expect(all.count == 3)
        #expect(all.filter { $0.key == nil }.map(\.time) == [self.now * 1000 + 7])
        holes.doubt(["p"], number: 4, time: self.now * 1000 + 8)
        holes.settle(all, at: "p")
        #expect(holes.pending(at: "p", keys: []).map(\.mark.number) == [4])
        holes.settle(holes.pending(at: "p", keys: []), at: "p")
        #expect(holes.isEmpty && holes.count == 0)
    }
}
