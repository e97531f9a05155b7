import Routing
import Testing

@testable import Node

@Suite("ID-6: the decision table over requests")
struct DecisionTableTests {
    private static let day: Int64 = 86_400_000

    /// What a request comes to.
    private struct Finding: Equatable {
        let standing: Agent.Standing
        let isDue: Bool

        init(_ state: SessionMachine.State) {
            switch state {
            case .guest: (self.standing, self.isDue) = (.guest, false)
            case .idle: (self.standing, self.isDue) = (.idle, false)
            case .active(let isDue): (self.standing, self.isDue) = (.active, isDue)
            }
        }

        init(_ agent: Agent) {
            self.standing = agent.standing
            self.isDue = agent.snapshot().due != nil
        }
    }

    /// The row's record under a secret of the test's own, where there is a record.
    private static func stored(_ row: NodeSessionMachineTests.Row, in node: NodeTestIdentity) async throws -> String {
        let secret = SessionSecret.random()
        guard let given = row.record else { return secret.text }
        var record = SessionRecord(
            hash: secret.hash, domain: given.domain, user: given.user, client: given.client, now: given.created,
            isRemembered: given.isRemembered, expires: given.expires)
        record.activity = given.activity
        record.login = given.login
        record.isValid = given.isValid
        record.successorPresented = given.successorPresented
        try await node.store.inner.insert(record)
        return secret.text
    }

    private static func finding(_ text: String, _ node: NodeTestIdentity) async throws -> Finding {
        Finding(try await node.agent(headers: [("Cookie", "__Host-session=\(text)")]))
    }

    @Test("ID-6: each row and each boundary, uncached: every request reads", arguments: NodeSessionMachineTests.rows)
    func uncached(row: NodeSessionMachineTests.Row) async throws {
        var options = SessionOptions()
        options.cacheSessions = 0
        let node = NodeTestIdentity(options)
        let text = try await Self.stored(row, in: node)
        node.clock.advance(Double(row.age) / 1_000)
        for reads in 1...2 {
            #expect(try await Self.finding(text, node) == Finding(row.state), "\(row.name)")
            #expect(node.store.counts.finds == reads)
        }
    }

    @Test(
        "ID-6, ID-15: each row and each boundary from the cache: an entry never outlives a lifetime",
        arguments: NodeSessionMachineTests.rows)
    func cached(row: NodeSessionMachineTests.Row) async throws {
        var options = SessionOptions()
        // The request that reads it is no activity, which would make it younger.
        options.activityResolution = 365 * 86_400
        let node = NodeTestIdentity(options)
        let text = try await Self.stored(row, in: node)
        // A second before the row's moment it is read; at that moment it is in the cache, whatever it was worth before.
        node.clock.advance(Double(row.age) / 1_000 - 1)
        _ = try await Self.finding(text, node)
        #expect(node.store.counts.finds == 1)
        node.clock.advance(1)
        #expect(try await Self.finding(text, node) == Finding(row.state), "\(row.name)")
        #expect(node.store.counts.finds == 1, "\(row.name): from the cache")
    }

    @Test("ID-6: the very millisecond, cached and uncached", arguments: [true, false])
    func boundaries(cached: Bool) async throws {
        var options = SessionOptions()
        if !cached { options.cacheSessions = 0 }
        options.sessionLifespan = 1
        options.sessionRenewalTimeout = 3
        options.loginLifespan = 10
        options.cookieLifespan = 20
        options.activityResolution = 100
        let node = NodeTestIdentity(options)
        let cookies = try await node.login(remember: true)
        let text = try #require(cookies.first).value
        var history: [String] = []
        for moment in 0...20_001 {
            let finding = try await Self.finding(text, node)
            let word = finding.isDue ? "due" : finding.standing.rawValue
            if history.last?.hasSuffix(word) != true { history.append("\(moment): \(word)") }
            node.clock.advance(0.001)
        }
        // `a` is the login's: activity is not written within its resolution.
        #expect(history == ["0: active", "1000: due", "3000: idle", "20000: guest"])
    }

    @Test("ID-6: loginLifespan ends a session that is used without end, at its millisecond")
    func loginEnd() async throws {
        var options = SessionOptions()
        options.loginLifespan = 10
        options.sessionLifespan = 100
        let node = NodeTestIdentity(options)
        let text = try #require(try await node.login().first).value
        node.clock.advance(9.999)
        #expect(try await Self.finding(text, node).standing == .active)
        node.clock.advance(0.001)
        #expect(try await Self.finding(text, node).standing == .idle)
    }
}
