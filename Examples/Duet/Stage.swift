import Node
import Synchronization

/// What Duet does: logins, applause, a diary, and who may call whom.
final class Stage: Sendable {
    private struct Login: Decodable { let user, device: String }
    private struct Encore: Decodable { let count: Int }

    /// Whose calls each one refuses. An application of yours looks that up.
    private static let refused: [String: Set<String>] = ["bob": ["mallory"]]

    private let station: Station
    /// How often each person has clapped at this node.
    private let claps = Mutex<[String: Int]>([:])

    init(station: Station) { self.station = station }

    func install() {
        self.sessions()
        self.applause()
        self.diary()
        self.calls()
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

    /// A page asks for `{"to": user}`, or for `{"to": user, "device": client}` from its own device to that one. The other side
    /// is told whose call it is.
    private func calls() {
        self.station.on(.peerRequest) { agent, query in
            guard let caller = agent.user, let callee = query["to"]?.string,
                !Self.refused[callee, default: []].contains(caller)
            else { return .deny }
            return .allow(user: callee, client: query["device"]?.string, info: ["from": .string(caller)])
        }
    }

    /// Only for scripts of this application's own pages.
    private func diary() {
        self.station.action(.get, "/diary", requires: [.loggedIn, .domestic]) { _, agent, reply in
            reply.content(["diary": "Dear diary, I am \(agent.user ?? "nobody")."])
        }
    }
}
