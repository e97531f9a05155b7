import Routing
import Testing
import Wire

@Suite("Opening and closing a Link, step by step (LK-4, LK-5, LK-14)") struct LinkOpeningTests {
    private let key = LinkKey(high: 1, low: 1)
    private let now: Int64 = 1_700_000_000_000
    private let request = LinkOpening.Request(
        domain: "localhost", requester: LinkParty(user: "bob", client: nil),
        target: LinkParty(user: "alice", client: nil), info: #"{"i":1}"#, query: #"{"q":1}"#)
    private var token: LinkToken { LinkToken(key: self.key, high: 9, low: 9) }

    private func opening() -> LinkOpening {
        let (now, token) = (self.now, self.token)
        return LinkOpening(key: self.key, request: self.request, now: { now }, newToken: { _ in token })
    }

    private func record(
        _ state: LinkRecord.State, generation: Int64 = 1_700_000_000, low: UInt64 = 9, labels: (String, String)? = nil
    ) -> LinkRecord {
        LinkRecord(
            domain: "localhost",
            sides: [
                .init(party: self.request.target, label: labels?.0 ?? self.request.query),
                .init(party: self.request.requester, label: labels?.1 ?? self.request.info),
            ],
            state: state, token: LinkToken(key: self.key, high: 9, low: low), generation: generation, changed: self.now)
    }

    /// Brings it to the point where both routes have the hint.
    private func noted(_ opening: inout LinkOpening, _ record: LinkRecord) -> LinkOpening.Action {
        #expect(opening.begin() == .readRoutes)
        #expect(opening.routesRead(requester: true, target: true) == .readRecord(isLatest: false))
        var action = opening.recordRead(record.state == .closed ? nil : record)
        if case .write = action { action = opening.written(true) }
        #expect(action == .link(record.key(of: 0), record.hint(of: 0)))
        #expect(opening.linked(.live) == .link(record.key(of: 1), record.hint(of: 1)))
        return opening.linked(.live)
    }

    @Test("LK-4: written as opening, noted twice, told, written as open")
    func opens() {
        var opening = self.opening()
        _ = opening.begin()
        _ = opening.routesRead(requester: true, target: true)
        let new = self.record(.opening)
        #expect(opening.recordRead(nil) == .write(LinkWrite(expected: nil, new: new)))
        #expect(opening.written(true) == .link(new.key(of: 0), new.hint(of: 0)))
        #expect(opening.linked(.live) == .link(new.key(of: 1), new.hint(of: 1)))
        #expect(opening.linked(.live) == .tell(new))
        #expect(opening.told() == .write(LinkWrite(expected: .init(new), new: self.record(.open))))
        #expect(opening.written(true) == .finish(.success(self.record(.open))))
    }

    @Test("LK-6: each side's label is for the other; LK-2: the parties are in canonical order")
    func labels() {
        let record = self.record(.open)
        #expect(record.sides.map(\.party.user) == ["alice", "bob"])
        #expect(record.label(seenFrom: 1) == self.request.query && record.label(seenFrom: 0) == self.request.info)
    }

    @Test("LK-4: an absent target is OFFLINE, and nothing is stored")
    func absent() {
        var opening = self.opening()
        _ = opening.begin()
        #expect(opening.routesRead(requester: true, target: false) == .finish(.failure(.offline)))
    }

    @Test("LK-5: an open one keeps token and generation, and gets the new labels")
    func reuses() {
        var opening = self.opening()
        let old = self.record(.open, generation: 7, low: 3, labels: ("1", "2"))
        let new = self.record(.open, generation: 7, low: 3)
        #expect(self.noted(&opening, old) == .write(LinkWrite(expected: .init(old), new: new)))
        #expect(opening.written(true) == .tell(new))
        #expect(opening.told() == .finish(.success(new)))
    }

    @Test("LK-5: a closed one gets a new token and the next generation")
    func reopens() {
        var opening = self.opening()
        _ = opening.begin()
        _ = opening.routesRead(requester: true, target: true)
        let closed = self.record(.closed, generation: 7, low: 3)
        let new = self.record(.opening, generation: 8)
        #expect(opening.recordRead(closed) == .write(LinkWrite(expected: .init(closed), new: new)))
    }

    @Test("LK-2, LK-5: one that somebody else has begun is finished")
    func finishes() {
        var opening = self.opening()
        let theirs = self.record(.opening, generation: 7, low: 3)
        #expect(self.noted(&opening, theirs) == .tell(theirs))
        let open = self.record(.open, generation: 7, low: 3)
        #expect(opening.told() == .write(LinkWrite(expected: .init(theirs), new: open)))
        // They were faster.
        #expect(opening.written(false) == .readRecord(isLatest: false))
        #expect(opening.recordRead(open) == .finish(.success(theirs.with(.open))))
    }

    @Test("Who loses a write begins anew")
    func conflict() {
        var opening = self.opening()
        _ = opening.begin()
        _ = opening.routesRead(requester: true, target: true)
        _ = opening.recordRead(nil)
        #expect(opening.written(false) == .readRoutes)
    }

    @Test("LK-15: a party that left meanwhile: what was begun is taken back, and both are told")
    func withdraws() {
        var opening = self.opening()
        _ = opening.begin()
        _ = opening.routesRead(requester: true, target: true)
        _ = opening.recordRead(nil)
        let begun = self.record(.opening)
        _ = opening.written(true)
        _ = opening.linked(.live)
        #expect(opening.linked(.absent) == .readRecord(isLatest: true))
        var closed = self.record(.closed)
        closed.reason = .offline
        #expect(opening.recordRead(begun) == .write(LinkWrite(expected: .init(begun), new: closed)))
        let keys = [RouteKey(domain: "localhost", user: "alice"), RouteKey(domain: "localhost", user: "bob")]
        #expect(opening.written(true) == .unlink(keys, self.key, through: begun.generation))
        #expect(opening.unlinked() == .tell(closed))
        #expect(opening.told() == .finish(.failure(.offline)))
    }

    @Test("LK-15: where it is open already, who left closes it in its time")
    func leavesOpen() {
        var opening = self.opening()
        _ = opening.begin()
        _ = opening.routesRead(requester: true, target: true)
        _ = opening.recordRead(self.record(.open))
        #expect(opening.linked(.full) == .readRecord(isLatest: true))
        #expect(opening.recordRead(self.record(.open)) == .finish(.failure(.full)))
    }

    private func closing(_ target: LinkClosing.Target, _ reason: LinkCloseReason = .offline) -> LinkClosing {
        let now = self.now
        return LinkClosing(key: self.key, target, reason: reason, now: { now })
    }

    @Test("LK-14: compare-and-set, then the hints; the loser reads again")
    func closes() {
        let record = self.record(.open)
        var closing = self.closing(.token(record.token), .closed)
        _ = closing.begin()
        var closed = self.record(.closed)
        closed.reason = .closed
        #expect(closing.recordRead(record) == .write(LinkWrite(expected: .init(record), new: closed)))
        #expect(closing.written(false) == .readRecord(isLatest: false))
        _ = closing.recordRead(record)
        #expect(closing.written(true) == .unlink(record.hints.map(\.key), through: record.generation))
        #expect(closing.unlinked() == .finish(.closed(closed)))
        var other = self.closing(.token(LinkToken(key: self.key, high: 1, low: 1)))
        _ = other.begin()
        #expect(other.recordRead(record) == .finish(.none))
    }

    @Test("A hint is only removed for what is certainly not open")
    func proves() {
        let route = RouteKey(domain: "localhost", user: "alice")
        let hint = LinkHint(key: self.key, generation: 8, client: nil)
        for stale in [nil, self.record(.closed, generation: 7)] {
            var closing = self.closing(.hint(route, hint))
            _ = closing.begin()
            #expect(closing.recordRead(stale) == .readRecord(isLatest: true))
            #expect(closing.recordRead(stale) == .unlink([route], through: 8))
            #expect(closing.unlinked() == .finish(.none))
        }
        var newer = self.closing(.hint(route, hint))
        _ = newer.begin()
        #expect(newer.recordRead(self.record(.open, generation: 9)) == .unlink([route], through: 8))
    }

    @Test("LK-5: what was found half open is closed only if nobody went on with it")
    func abandoned() {
        let found = self.record(.opening)
        var closing = self.closing(.abandoned(found))
        _ = closing.begin()
        #expect(closing.recordRead(self.record(.open).with(changed: 1)) == .finish(.none))
    }
}

extension LinkRecord {
    fileprivate func with(_ state: State? = nil, changed: Int64? = nil) -> LinkRecord {
        var record = self
        record.state = state ?? self.state
        record.changed = changed ?? self.changed
        return record
    }
}
