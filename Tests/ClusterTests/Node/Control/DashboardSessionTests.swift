import NIOCore
import Testing

@testable import Node

@Suite("DESIGN §7: sessions of the dashboard")
struct DashboardSessionTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private static let limits = DashboardSessionTable.Limits(sessions: 3, lifespan: .hours(8), idle: .minutes(30))

    private let key: ControlKey

    init() throws {
        self.key = try #require(ControlKey.make(name: "operator", domain: nil, scopes: [.status])).key
    }

    private func open(
        _ number: UInt8, in table: inout DashboardSessionTable, at now: NIODeadline
    ) -> DashboardSession {
        table.open(self.key, hash: [number], label: "label \(number)", csrf: "csrf \(number)", at: now)
    }

    @Test("It ends when nobody has used it for a while")
    func idle() {
        var table = DashboardSessionTable(limits: Self.limits)
        let session = self.open(1, in: &table, at: Self.start)
        #expect(session.key == "operator" && session.keyDigest == self.key.digest)
        let later = Self.start + .minutes(29)
        #expect(table.session([1], at: later)?.csrf == "csrf 1")
        #expect(table.keep("label 1", at: later + .minutes(29)) == true)
        #expect(table.session([1], at: later + .minutes(59)) == nil)
        #expect(table.count == 0)
        #expect(table.keep("label 1", at: later) == false)
    }

    @Test("It ends at its time, however much it is used")
    func lifespan() {
        var table = DashboardSessionTable(limits: Self.limits)
        _ = self.open(1, in: &table, at: Self.start)
        var now = Self.start
        while now + .minutes(20) < Self.start + .hours(8) {
            now = now + .minutes(20)
            #expect(table.session([1], at: now) != nil)
        }
        #expect(table.session([1], at: Self.start + .hours(8)) == nil)
    }

    @Test("There are so many and no more: the one that was used longest ago goes")
    func bounded() {
        var table = DashboardSessionTable(limits: Self.limits)
        for number in 1...3 { _ = self.open(UInt8(number), in: &table, at: Self.start + .seconds(Int64(number))) }
        _ = table.session([1], at: Self.start + .seconds(10))
        _ = self.open(4, in: &table, at: Self.start + .seconds(11))
        #expect(table.count == 3)
        let now = Self.start + .seconds(12)
        let alive = [1, 2, 3, 4].filter { table.session([$0], at: now) != nil }
        #expect(alive == [1, 3, 4])
    }

    @Test("Signing out ends one, and only that one")
    func close() {
        var table = DashboardSessionTable(limits: Self.limits)
        _ = self.open(1, in: &table, at: Self.start)
        _ = self.open(2, in: &table, at: Self.start)
        #expect(table.close([1])?.label == "label 1")
        #expect(table.close([1]) == nil)
        #expect(table.session([1], at: Self.start) == nil && table.session([2], at: Self.start) != nil)
    }
}

@Suite("DESIGN §7: wrong keys")
struct SignInAttemptTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private static let limits = SignInAttempts.Limits(burst: 3, pause: .seconds(10), capacity: 2)

    @Test("So many at once, then one each pause; other addresses are not in it")
    func burst() {
        var attempts = SignInAttempts(limits: Self.limits)
        for _ in 0..<3 {
            #expect(attempts.wait("192.0.2.1", at: Self.start) == nil)
            attempts.fail("192.0.2.1", at: Self.start)
        }
        #expect(attempts.wait("192.0.2.1", at: Self.start) == .seconds(10))
        #expect(attempts.wait("192.0.2.1", at: Self.start + .seconds(9)) == .seconds(1))
        #expect(attempts.wait("192.0.2.1", at: Self.start + .seconds(10)) == nil)
        #expect(attempts.wait("192.0.2.2", at: Self.start) == nil)
        attempts.fail("192.0.2.1", at: Self.start + .seconds(10))
        #expect(attempts.wait("192.0.2.1", at: Self.start + .seconds(10)) == .seconds(10))
        #expect(attempts.wait("192.0.2.1", at: Self.start + .hours(1)) == nil)
    }

    @Test("Beyond the addresses that are kept all others share one count, and what is over is forgotten")
    func bounded() {
        var attempts = SignInAttempts(limits: Self.limits)
        for address in ["a", "b"] { attempts.fail(address, at: Self.start) }
        for address in ["c", "d", "e"] { attempts.fail(address, at: Self.start) }
        #expect(attempts.wait("f", at: Self.start) == .seconds(10))
        #expect(attempts.wait("a", at: Self.start) == nil)
        attempts.fail("g", at: Self.start + .minutes(1))
        #expect(attempts.wait("f", at: Self.start + .minutes(1)) == nil)
    }
}
