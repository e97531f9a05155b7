import Testing

@testable import Node

/// Who may go on with a session that polls (SPEC ID-18, LC-6).
@Suite struct PollingOwnerTests {
    private func owner(_ session: [UInt8]?, foreign: Bool = false, domain: String = "app.example") -> PollingOwner {
        PollingOwner(domain: domain, isForeign: foreign, session: session)
    }

    @Test("A session that came with a cookie is that cookie's")
    func cookie() {
        let owner = self.owner([1])
        #expect(owner.judge(self.owner([1])) == .same)
        #expect(owner.judge(self.owner([2])) == .otherCookie)
        #expect(owner.judge(self.owner(nil)) == .other)
    }

    @Test("One that came without is anybody's who knows its ID, as other servers have it")
    func noCookie() {
        #expect(self.owner(nil).judge(self.owner(nil)) == .same)
        #expect(self.owner(nil).judge(self.owner([1])) == .same)
    }

    @Test("No foreign page goes on with a session of the domain's own pages; an own page may with any")
    func foreign() {
        #expect(self.owner(nil).judge(self.owner(nil, foreign: true)) == .other)
        #expect(self.owner([1]).judge(self.owner([2], foreign: true)) == .other)
        #expect(self.owner(nil, foreign: true).judge(self.owner(nil, foreign: true)) == .same)
        #expect(self.owner(nil, foreign: true).judge(self.owner(nil)) == .same)
    }

    @Test("A session stays in its domain")
    func domain() {
        #expect(self.owner([1]).judge(self.owner([1], domain: "other.example")) == .other)
    }
}
