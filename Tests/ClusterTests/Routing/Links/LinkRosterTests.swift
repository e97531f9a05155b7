import Routing
import Testing
import Wire

@Suite("Who is told of whom (LK-7, LK-8, LK-11, LK-12)") struct LinkRosterTests {
    private let node = NodeID(high: 1, low: 0)
    private let alice = LinkParty(user: "alice", client: nil)
    private let bob = LinkParty(user: "bob", client: nil)

    private var record: LinkRecord {
        LinkRecord(
            domain: "localhost", sides: [.init(party: self.alice, label: "1"), .init(party: self.bob, label: "2")],
            state: .open, token: LinkToken(key: LinkKey(high: 1, low: 1), high: 1, low: 1), generation: 1, changed: 0)
    }

    private func connection(
        _ number: UInt64, on node: NodeID? = nil, takesRosters: Bool = true
    ) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: SocketID(node: node ?? self.node, high: number, low: 0), node: node ?? self.node, client: "phone",
            endpoint: "tab\(number)", since: Int64(number), takesRosters: takesRosters)
    }

    private func route(_ user: String, _ connections: [RouteDocument.Connection]) -> RouteDocument {
        var document = RouteDocument(key: RouteKey(domain: "localhost", user: user))
        document.live = connections
        document.links = [LinkHint(key: self.record.key, generation: 1, client: nil)]
        return document
    }

    private func messages(_ telling: inout LinkTelling, _ routes: [RouteDocument]) -> [LinkMessage] {
        let routes = Dictionary(uniqueKeysWithValues: routes.map { ($0.key, $0) })
        guard case .finish(let messages) = telling.routesRead(routes, claimed: []) else { return [] }
        return messages
    }

    @Test("LK-7: opened: both sides are told of all of the other, and the nodes of both")
    func opened() {
        let (a, b) = ([self.connection(1), self.connection(2)], [self.connection(3)])
        var telling = LinkTelling(.opened(self.record))
        #expect(telling.begin() == .readRoutes(self.record.hints.map(\.key)))
        let messages = self.messages(&telling, [self.route("alice", a), self.route("bob", b)])
        #expect(
            messages.map(\.content) == [
                .changed(nodes: [self.node], closed: nil), .changed(nodes: [self.node], closed: nil),
                .here(recipients: a, peers: b), .here(recipients: b, peers: a),
            ])
        #expect(messages.map(\.side) == [0, 1, 0, 1])
    }

    @Test("LK-8: the oldest take part; who is next in age takes the place of one that leaves")
    func mesh() {
        let all = (1...4).map { self.connection($0) }
        let party = self.alice
        let roster = LinkRoster(self.route("alice", all.reversed()), party, limit: 2)
        #expect(roster.members == Array(all[..<2]) && roster.waiting == Array(all[2...]))
        let after = LinkRoster(self.route("alice", Array(all[1...])), party, limit: 2)
        #expect(after.successors(of: [all[0]]) == [all[2]])
        #expect(LinkRoster(self.route("alice", Array(all[..<3])), party, limit: 2).successors(of: [all[3]]) == [])
        #expect(LinkRoster(self.route("alice", all), party, claimed: [self.node]).members == [])
        #expect(LinkRoster(self.route("alice", [self.connection(1, takesRosters: false)]), party).members == [])
    }

    @Test("LK-11: who joins is told, and the others of it; one too many is not")
    func joined() {
        let (first, second, other) = (self.connection(1), self.connection(2), self.connection(3))
        let route = self.route("alice", [first, second])
        var telling = LinkTelling(.joined([second], route, route.links[0]))
        #expect(telling.begin() == .readRecord(self.record.key, isLatest: false))
        #expect(telling.recordRead(self.record) == .readRoutes([self.record.key(of: 1)]))
        #expect(
            self.messages(&telling, [self.route("bob", [other])]).map(\.content) == [
                .here(recipients: [second], peers: [other]), .here(recipients: [other], peers: [second]),
            ])
        var narrow = LinkTelling(.joined([second], route, route.links[0]), members: 1)
        _ = narrow.begin()
        _ = narrow.recordRead(self.record)
        #expect(self.messages(&narrow, [self.route("bob", [other])]) == [] && narrow.excess == 1)
    }

    @Test("LK-5: a stale hint is removed when it is met, and not on the word of an old primary")
    func stale() {
        let route = self.route("alice", [self.connection(1)])
        var telling = LinkTelling(.joined(route.live, route, route.links[0]))
        _ = telling.begin()
        #expect(telling.recordRead(nil) == .readRecord(self.record.key, isLatest: true))
        #expect(telling.recordRead(nil) == .unlink(route.key, self.record.key, through: 1))
        #expect(telling.unlinked() == .finish([]))
    }

    @Test("LK-12: who is gone is gone for the other side, and the next one in age joins")
    func left() {
        let (gone, next, other) = (self.connection(1), self.connection(2), self.connection(3))
        let route = self.route("alice", [next])
        var telling = LinkTelling(.left([gone], route, route.links[0]), members: 1)
        _ = telling.begin()
        _ = telling.recordRead(self.record)
        #expect(
            self.messages(&telling, [self.route("bob", [other])]).map(\.content) == [
                .gone(recipients: [other], peers: [gone]), .here(recipients: [next], peers: [other]),
                .here(recipients: [other], peers: [next]),
            ])
    }

    @Test("LK-1: within a party each is told of each, once")
    func within() {
        var record = self.record
        record.sides = [.init(party: self.alice, label: "1"), .init(party: self.alice, label: "1")]
        let all = [self.connection(1), self.connection(2)]
        var telling = LinkTelling(.opened(record))
        #expect(telling.begin() == .readRoutes([record.key(of: 0)]))
        #expect(
            self.messages(&telling, [self.route("alice", all)]).map(\.content) == [
                .changed(nodes: [self.node], closed: nil), .here(recipients: all, peers: all),
            ])
    }

    @Test("LK-3, §11.7: a side is that of user, client and domain")
    func sides() {
        var record = self.record
        #expect(record.sides(of: "alice", client: "any", in: "localhost") == [0])
        #expect(record.sides(of: "bob", client: "any", in: "localhost") == [1])
        #expect(record.sides(of: "carol", client: "any", in: "localhost") == [])
        #expect(record.sides(of: "alice", client: "any", in: "elsewhere") == [])
        record.sides[0].party = LinkParty(user: "alice", client: "phone")
        #expect(record.sides(of: "alice", client: "laptop", in: "localhost") == [])
    }
}
