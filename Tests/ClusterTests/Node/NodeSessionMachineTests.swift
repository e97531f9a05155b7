import Routing
import Testing

@testable import Node

@Suite("ID-6: the decision table")
struct NodeSessionMachineTests {
    private static let day: Int64 = 86_400_000
    private static let minute: Int64 = 60_000
    private static let born = NodeTestClock.start
    private let machine = SessionMachine(SessionOptions())

    private static func record(_ change: (inout SessionRecord) -> Void = { _ in }) -> SessionRecord {
        var record = SessionRecord(
            hash: [UInt8](repeating: 1, count: 32), domain: "example.org", user: "alice", client: "phone",
            now: Self.born,
            isRemembered: true, expires: Self.born + 365 * Self.day)
        change(&record)
        return record
    }

    struct Row: Sendable {
        let name: String
        let record: SessionRecord?
        let age: Int64
        let state: SessionMachine.State
    }

    static let rows = [
        Row(name: "unknown", record: nil, age: 0, state: .guest(.unknown)),
        Row(name: "other domain", record: record { $0.domain = "other.org" }, age: 0, state: .guest(.otherDomain)),
        Row(name: "past x", record: record(), age: 365 * day, state: .guest(.expired)),
        Row(name: "just before x", record: record(), age: 365 * day - 1, state: .idle),
        Row(name: "invalid", record: record { $0.isValid = false }, age: 0, state: .idle),
        Row(
            name: "invalid and superseded",
            record: record {
                $0.isValid = false
                $0.successorPresented = born
            }, age: 3 * minute, state: .idle),
        Row(name: "login over", record: record { $0.activity = born + 14 * day }, age: 14 * day, state: .idle),
        Row(
            name: "login over, superseded", record: record { $0.successorPresented = born }, age: 14 * day, state: .idle
        ),
        Row(
            name: "login nearly over", record: record { $0.activity = born + 13 * day }, age: 14 * day - 1,
            state: .active(isDue: true)),
        Row(
            name: "within the grace", record: record { $0.successorPresented = born }, age: 2 * minute,
            state: .active(isDue: false)),
        Row(
            name: "superseded", record: record { $0.successorPresented = born }, age: 2 * minute + 1,
            state: .guest(.superseded)),
        Row(name: "fresh", record: record(), age: 0, state: .active(isDue: false)),
        Row(name: "a clock that runs ahead", record: record(), age: -minute, state: .active(isDue: false)),
        Row(name: "the last moment of its age", record: record(), age: day - 1, state: .active(isDue: false)),
        Row(name: "of age", record: record(), age: day, state: .active(isDue: true)),
        Row(name: "nearly inactive", record: record(), age: 3 * day - 1, state: .active(isDue: true)),
        Row(name: "inactive", record: record(), age: 3 * day, state: .idle),
        Row(
            name: "old, but used", record: record { $0.activity = born + 4 * day }, age: 6 * day,
            state: .active(isDue: true)),
    ]

    @Test("ID-6: each row, in order", arguments: Self.rows)
    func table(row: Row) {
        #expect(
            self.machine.state(of: row.record, in: "example.org", at: Self.born + row.age) == row.state, "\(row.name)")
    }

    @Test("ID-7: loginLifespan 0 disables the hard end")
    func noLoginEnd() {
        var options = SessionOptions()
        options.loginLifespan = 0
        let record = Self.record { $0.activity = Self.born + 300 * Self.day }
        let state = SessionMachine(options).state(of: record, in: "example.org", at: Self.born + 301 * Self.day)
        #expect(state == .active(isDue: true))
    }

    @Test("ID-6, ID-7: a record stays until it could be no more than a guest's")
    func expiry() {
        #expect(self.machine.expiry(isRemembered: true, login: 0, at: 0) == 365 * Self.day)
        #expect(self.machine.expiry(isRemembered: false, login: 0, at: 0) == 14 * Self.day)
        #expect(
            self.machine.expiry(isRemembered: false, login: 0, at: 5 * Self.day) == 14 * Self.day, "a renewal adds none"
        )
    }

    @Test(
        "ID-3: options that cannot work are named",
        arguments: [
            { (options: inout SessionOptions) in options.sessionLifespan = 0 },
            { options in options.cacheSessions = -1 },
            { options in options.loginLifespan = -.infinity },
            { options in options.cookieLifespan = .nan },
            { options in
                options.insecureCookies = true
                options.crossSiteCookies = true
            },
        ] as [@Sendable (inout SessionOptions) -> Void])
    func complaints(change: @Sendable (inout SessionOptions) -> Void) {
        var options = SessionOptions()
        #expect(options.complaint == nil)
        change(&options)
        #expect(options.complaint != nil)
    }
}
