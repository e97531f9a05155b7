import Testing

@testable import Routing

@Suite struct ClusterRequestsTests {
    @Test(
        "SOCKETIO §12, §19 (entries that leaked): a request whose time is over leaves nothing; late reports are ignored"
    )
    func timeout() async throws {
        let requests = ClusterRequests(limit: 2)
        for _ in 0..<10 {
            let id = try requests.begin(loops: 1)
            #expect(requests.count == 1)
            _ = await requests.wait(id, timeout: .zero)
            #expect(requests.count == 0)
            requests.report(id, .loop(0), expected: 1, items: [nil])
            #expect(requests.count == 0)
        }
    }

    @Test("SOCKETIO §18: requests under way are bounded, and an end makes room")
    func limit() async throws {
        let requests = ClusterRequests(limit: 2)
        let first = try requests.begin(loops: 1)
        _ = try requests.begin(loops: 1)
        #expect(throws: ClusterRequests.Full.self) { try requests.begin(loops: 1) }
        requests.ask([], first)
        requests.report(first, .loop(0), expected: 0, items: [])
        _ = await requests.wait(first, timeout: .seconds(60))
        #expect(requests.count == 1)
        _ = try requests.begin(loops: 1)
    }
}
