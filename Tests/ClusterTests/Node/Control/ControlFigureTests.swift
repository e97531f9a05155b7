import Logging
import NIOCore
import Testing

@testable import Node

@Suite("OP-2: figures of a node")
struct ControlFigureTests {
    @Test("Domains that are configured have numbers of their own, all others one together")
    func slots() {
        let slots = DomainSlots(["a.example", "b.example"])
        #expect(slots.names == ["a.example", "b.example", "other"])
        #expect(["a.example", "b.example", "c.example", ""].map(slots.slot) == [0, 1, 2, 2])
        let many = DomainSlots((0..<300).map { "d\($0).example" })
        #expect(many.count == DomainSlots.most + 1 && many.slot(of: "d299.example") == many.count - 1)
        #expect(DomainSlots([]).slot(of: "localhost") == 0)
    }

    @Test("Rates are those of the last samples, by the time between them")
    func rates() {
        var rates = TrafficRates()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        #expect(rates.rate(of: 0) == TrafficCounts<Double>())
        for second in 0..<20 {
            var traffic = DomainTraffic()
            // 10 a second at first, then 40.
            traffic.counts.eventsIn = second < 10 ? second * 10 : 90 + (second - 9) * 40
            traffic.counts.bytesOut = second
            rates.add([traffic, DomainTraffic()], at: start + .seconds(Int64(second)))
        }
        #expect(rates.rate(of: 0).eventsIn == 40 && rates.rate(of: 0).bytesOut == 1)
        #expect(rates.rate(of: 1) == TrafficCounts<Double>())
    }

    @Test("What repeats is kept once, with its count; so many are kept, and texts are cut")
    func problems() {
        var ring = ProblemRing()
        for time in 0..<50 {
            ring.add(level: "warning", message: "again", details: ["n": "\(time)"], at: Int64(time))
            ring.add(level: "error", message: "once \(time)", details: [:], at: Int64(time))
        }
        let newest = ring.newest(2)
        #expect(newest.map(\.message) == ["once 49", "again"])
        #expect(newest[1] == Problem(time: 49, level: "warning", message: "again", details: ["n": "49"], count: 50))
        for time in 50..<300 { ring.add(level: "error", message: "more \(time)", details: [:], at: Int64(time)) }
        #expect(ring.newest(1_000).count == ProblemRing.capacity)
        let long = String(repeating: "é", count: 1_000)
        let details = Dictionary(uniqueKeysWithValues: (0..<40).map { ("k\($0)", long) })
        ring.add(level: "error", message: long, details: details, at: 301)
        let cut = ring.newest(1)[0]
        #expect(cut.message.utf8.count <= ProblemRing.longest + 6 && cut.details.count == ProblemRing.mostDetails)
        #expect(cut.details.values.allSatisfy { $0.utf8.count <= ProblemRing.longest + 6 })
    }

    @Test("A logger that is watched says what it said before, and its complaints are kept")
    func problemLog() {
        let log = ProblemLog()
        let logger = log.watching(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        logger.info("nothing")
        logger.warning("slow", metadata: ["ms": "12"])
        logger.error("broken", metadata: ["error": "why"])
        let problems = log.newest(10)
        #expect(problems.map(\.message) == ["broken", "slow"] && problems.map(\.level) == ["error", "warning"])
        #expect(problems[0].details["error"] == "why" && problems[1].details["ms"] == "12")
    }

    @Test("RM-1: who answers for one domain sees that one only")
    func restricted() {
        var one = DomainTraffic()
        one.connections = 3
        var both = one
        both.connections = 8
        let rate = TrafficCounts<Double>()
        let figures = NodeFigures(
            id: "n", name: nil, version: "1", address: nil, state: "up", started: 0, lease: "held", unready: [],
            traffic: TrafficFigures(both, rate),
            domains: ["a.example": TrafficFigures(one, rate), "b.example": TrafficFigures(both, rate)],
            loops: [.init(number: 0, sessions: 9, connections: 8, users: 8, lag: 1)], sessions: 9, rooms: 2, pending: 1,
            intake: 10, homes: [], gaps: 0, shards: [],
            problems: [Problem(time: 0, level: "error", message: "bob", details: [:], count: 1)])
        let seen = figures.restricted(to: "a.example")
        #expect(seen.traffic.connections == 3 && Set(seen.domains.keys) == ["a.example"] && seen.problems == nil)
        #expect(seen.loops == [.init(number: 0, sessions: nil, connections: nil, users: nil, lag: 1)])
        #expect(seen.sessions == nil && seen.rooms == nil && seen.pending == nil)
        #expect(figures.restricted(to: "c.example").traffic.connections == 0)
    }
}

@Suite("RM-1: the audit")
struct AuditTrailTests {
    private static func entry(
        _ action: String, at time: Int64, key: String = "k", domain: String = "a.example", count: Int = 1
    ) -> AuditEntry {
        AuditEntry(
            time: time, key: key, action: action, domain: domain, user: "alice", client: nil, address: "192.0.2.1",
            isByDashboard: false, count: count)
    }

    @Test("Events of one key within a minute are one entry, everything else is one of its own")
    func coalesced() {
        var trail = AuditTrail(capacity: 100)
        for second in 0..<30 { trail.add(Self.entry("event", at: Int64(second * 1_000), count: 2)) }
        trail.add(Self.entry("event", at: 1_000, key: "other"))
        trail.add(Self.entry("kick", at: 2_000))
        trail.add(Self.entry("kick", at: 2_001))
        trail.add(Self.entry("event", at: 61_000))
        let all = trail.newest(100, domain: nil, key: nil)
        #expect(all.map(\.action) == ["event", "kick", "kick", "event", "event"])
        #expect(all.map(\.count) == [1, 1, 1, 1, 60])
    }

    @Test("It is bounded, and asked by domain and key")
    func bounded() {
        var trail = AuditTrail(capacity: 5)
        for time in 0..<20 {
            trail.add(
                Self.entry("kick", at: Int64(time), key: "k\(time % 2)", domain: time < 18 ? "a.example" : "b.example"))
        }
        #expect(trail.newest(100, domain: nil, key: nil).map(\.time) == [19, 18, 17, 16, 15])
        #expect(trail.newest(2, domain: "a.example", key: nil).map(\.time) == [17, 16])
        #expect(trail.newest(9, domain: nil, key: "k1").map(\.time) == [19, 17, 15])
    }

    @Test("Pages of several nodes become one, newest first")
    func merged() {
        let pages = [
            AuditPage(node: "b", entries: [Self.entry("kick", at: 5), Self.entry("kick", at: 1)]),
            AuditPage(node: "a", entries: [Self.entry("logout", at: 3)]),
        ]
        let answer = AuditAnswer(pages, limit: 2)
        #expect(answer.nodes == ["a", "b"] && answer.entries.map(\.time) == [5, 3])
        #expect(answer.entries.map(\.node) == ["b", "a"])
    }
}
