import NIOCore
import Routing
import Testing
import Wire

/// What senders and recovered connections rely on (SOCKETIO §14.2). Users are new in every run, so a log may be shared.
enum RecoveryLogConformance {
    static let checks: [ConformanceCheck<any RecoveryLog>] = [
        ConformanceCheck("Every user has a place among those that are known") { log async throws in
            #expect(!log.places.isEmpty)
            for index in 0..<50 { #expect(log.places.contains(log.place(of: Subject("place\(index)").key))) }
        },
        ConformanceCheck("What was appended is read, packets byte for byte, in order") { log async throws in
            let user = Subject("round trip")
            let place = log.place(of: user.key)
            let packets = [
                OutboundPacket(text: ByteBuffer(string: #"2["ünï",1]"#)),
                OutboundPacket(
                    text: ByteBuffer(string: #"52-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#),
                    attachments: [ByteBuffer(bytes: [0, 255, 3]), ByteBuffer()]),
                OutboundPacket(text: ByteBuffer(string: "2[\"" + String(repeating: "x", count: 100_000) + "\"]")),
            ]
            try await log.append(packets.enumerated().map { user.entry(Int64($0.offset) + 1, $0.element) }, to: place)
            let history = try await log.read(user.query(), at: place)
            #expect(history.isComplete)
            #expect(history.events.map(\.packet) == packets)
            #expect(history.position[user.stream] == 3)
            #expect(try await log.read(Subject("somebody else").query(), at: place).events.isEmpty)
        },
        ConformanceCheck("An entry that is appended again is there once") { log async throws in
            let user = Subject("again")
            let place = log.place(of: user.key)
            try await log.append([user.entry(1), user.entry(2)], to: place)
            try await log.append([user.entry(2), user.entry(3), user.entry(1)], to: place)
            #expect(try await log.read(user.query(), at: place).events.map(\.mark.number) == [1, 2, 3])
        },
        ConformanceCheck("Known senders from the position on, unknown ones from the base on; filters hold") {
            log async throws in
            let user = Subject("choice")
            let other = NodeID.random().stream(.identity)
            let place = log.place(of: user.key)
            var foreign = user.entry(5)
            foreign.client = "laptop"
            var direct = user.entry(6)
            direct.socket = user.socket
            var missed = user.entry(7)
            missed.socket = .random(on: .random())
            var early = user.entry(1)
            early.mark = RecoveryMark(stream: other, number: 1)
            early.version = 2
            var late = early
            late.mark = RecoveryMark(stream: other, number: 2)
            late.version = 3
            try await log.append(
                [user.entry(3), user.entry(4), foreign, direct, missed, early, late], to: place)
            let history = try await log.read(user.query(position: [user.stream: 3], base: 3), at: place)
            #expect(Set(history.events.map(\.mark)) == [user.entry(4).mark, direct.mark, late.mark])
            #expect(history.isComplete)
        },
        ConformanceCheck("A hole makes history incomplete for those whom it concerns") { log async throws in
            let user = Subject("hole")
            let place = log.place(of: user.key)
            try await log.append([user.entry(2).asHole, user.entry(3)], to: place)
            #expect(try await log.read(user.query(position: [user.stream: 1]), at: place).isComplete == false)
            #expect(try await log.read(user.query(position: [user.stream: 2]), at: place).isComplete)
            // The append of unknown outcome took place after all.
            try await log.append([user.entry(2)], to: place)
            let history = try await log.read(user.query(position: [user.stream: 1]), at: place)
            #expect(history.isComplete)
            #expect(history.events.map(\.mark.number) == [2, 3])
        },
        ConformanceCheck("A place that is in doubt is incomplete for everybody who was away then, and for nobody later")
        {
            log async throws in
            let user = Subject("doubt")
            let place = log.place(of: user.key)
            var doubt = user.entry(1).asHole
            doubt.key = nil
            // Long ago, so that it does not spoil other checks on a shared log.
            doubt.time -= 10_000_000_000
            try await log.append([doubt], to: place)
            var query = user.query()
            query.since = doubt.time + RecoveryQuery.margin
            #expect(try await log.read(query, at: place).isComplete == false)
            query.since += 1
            #expect(try await log.read(query, at: place).isComplete)
        },
        ConformanceCheck(
            "Broadcasts of the domain are found, for all, its rooms and its own id, less what it is excepted from"
        ) {
            log async throws in
            let user = Subject("rooms", domain: "d\(Base64URL.random128().filter(\.isLetter))")
            let place = log.scopePlace(of: user.key.domain)
            #expect(log.places.contains(place))
            let own = user.socket.text
            let entries = [
                user.broadcast(1), user.broadcast(2, to: ["r1", "ü"]), user.broadcast(3, to: ["other"]),
                user.broadcast(4, to: [own]), user.broadcast(5, except: ["ü"]),
                user.broadcast(6, to: ["ü"], except: ["other", own]), user.broadcast(7, except: ["other"]),
            ]
            try await log.append(entries, to: place)
            let home = log.place(of: user.key)
            try await log.append([user.entry(9)], to: home)
            let history = try await log.read(user.query(rooms: ["x", "ü"]), at: home)
            #expect(history.isComplete)
            #expect(Set(history.events.map(\.mark.number)) == [1, 2, 4, 7, 9])
            let stream = entries[0].mark.stream
            let later = try await log.read(user.query(position: [stream: 4], rooms: []), at: home)
            #expect(Set(later.events.map(\.mark.number)) == [5, 7, 9])
            // A hole concerns those whom the broadcast was for.
            try await log.append([user.broadcast(8, to: ["r2"]).asHole], to: place)
            #expect(try await log.read(user.query(rooms: ["ü"]), at: home).isComplete)
            #expect(try await log.read(user.query(rooms: ["r2"]), at: home).isComplete == false)
            let stranger = Subject("elsewhere", domain: "e\(Base64URL.random128().filter(\.isLetter))")
            #expect(try await log.read(stranger.query(), at: log.place(of: stranger.key)).events.isEmpty)
        },
        ConformanceCheck("Of many broadcasts only those for the client count against its limit") { log async throws in
            let user = Subject("many", domain: "m\(Base64URL.random128().filter(\.isLetter))")
            try await log.append(
                (1...40).map { user.broadcast($0, to: [$0 % 4 == 0 ? "a" : "b"]) },
                to: log.scopePlace(of: user.key.domain))
            var query = user.query(rooms: ["a"])
            query.limits.events = 10
            #expect(try await log.read(query, at: log.place(of: user.key)).events.count == 10)
        },
        ConformanceCheck("A client that missed too much is not recovered") { log async throws in
            let user = Subject("too much")
            let place = log.place(of: user.key)
            try await log.append((1...30).map { user.entry($0) }, to: place)
            var query = user.query()
            query.limits.events = 29
            #expect(try await log.read(query, at: place).isComplete == false)
            query.limits.events = 30
            #expect(try await log.read(query, at: place).events.count == 30)
        },
    ]

    /// A user with one sender of its own.
    struct Subject {
        let key: RouteKey
        let stream = NodeID.random().stream(.identity)
        let socket = SocketID.random(on: .random())

        init(_ name: String, domain: String = "conformance.test") {
            self.key = RouteKey(domain: domain, user: "\(name)-\(Base64URL.random128())")
        }

        static var now: Int64 { SystemClusterClock().wallTime() }

        func entry(_ number: Int64, _ packet: OutboundPacket? = nil) -> RecoveryEntry {
            RecoveryEntry(
                key: self.key, mark: RecoveryMark(stream: self.stream, number: number), version: 5, time: Self.now,
                content: .event(packet ?? OutboundPacket(text: ByteBuffer(string: "2[\"e\",\(number)]"))))
        }

        func broadcast(_ number: Int64, to rooms: [String] = [], except: [String] = []) -> RecoveryEntry {
            var entry = self.entry(number)
            entry.key = RecoveryEntry.scopeKey(of: self.key.domain)
            entry.mark = RecoveryMark(
                stream: NodeID(high: self.stream.sender << 16, low: 0).stream(.broadcast), number: number)
            entry.target = RoomTarget(rooms: rooms, except: except)
            return entry
        }

        func query(
            position: [RecoveryStream: Int64] = [:], base: Int64 = 1, rooms: [String] = []
        ) -> RecoveryQuery {
            var start = RecoveryPosition()
            for (stream, number) in position {
                _ = start.raise(to: RecoveryMark(stream: stream, number: number), now: Self.now / 1000)
            }
            return RecoveryQuery(
                key: self.key, client: "phone", socket: self.socket, position: start, base: base,
                since: Self.now, first: Self.now - 60_000, rooms: rooms, now: Self.now / 1000)
        }
    }
}
