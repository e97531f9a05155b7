import Node
import Synchronization

/// What Duet does: logins, applause, a diary, and who may call whom.
final class Stage: Sendable {
    private struct Login: Decodable { let user, device: String }
    private struct Encore: Decodable { let count: Int }

    private let station: Station
    /// How often each person has clapped at this node.
    private let claps = Mutex<[String: Int]>([:])

    init(station: Station) { self.station = station }

    func install() {
        self.sessions()
        self.applause()
        self.diary()
    }

    private func sessions() {
        self.station.action(.post, "/login") { request, agent, reply in
            let who = try request.body(as: Login.self)
            try await agent.setActive(user: who.user, client: who.device, fromForeignOrigin: true)
            reply.content(["user": who.user])
        }
        self.station.action(.post, "/logout", requires: .loggedIn) { _, agent, _ in try await agent.logout() }
        self.station.action(.get, "/me") { _, agent, reply in
            reply.content([
                "user": agent.user ?? "", "standing": agent.standing.rawValue,
                "domestic": agent.isDomestic ? "yes" : "no",
            ])
        }
    }

    /// An action that does something each time, the same over HTTP and over a socket; `?after=` makes it slow.
    private func applause() {
        for method in [ActionMethod.get, .post] {
            self.station.action(method, "/claps", requires: .loggedIn) { request, agent, reply in
                if let after = request.query["after"].flatMap(Double.init) {
                    try await Task.sleep(for: .seconds(min(after, 20)))
                }
                let user = agent.user ?? ""
                let count = self.claps.withLock { claps in
                    if method == .post { claps[user, default: 0] += 1 }
                    return claps[user, default: 0]
                }
                reply.content(["claps": count])
                reply.event("clapped", count)
            }
        }
        // Events that no listener may be ready for yet: every tab and device of who asks gets them, in order.
        self.station.action(.post, "/encore", requires: .loggedIn) { request, agent, reply in
            let encore = try request.body(as: Encore.self)
            for number in 0..<min(encore.count, 1_000) {
                try await self.station.send(to: agent.user ?? "", domain: agent.domain, "encore", number)
            }
            reply.content(["sent": encore.count])
        }
    }

    /// Only for scripts of this application's own pages.
    private func diary() {
        self.station.action(.get, "/diary", requires: [.loggedIn, .domestic]) { _, agent, reply in
            reply.content(["diary": "Dear diary, I am \(agent.user ?? "nobody")."])
        }
    }
}
