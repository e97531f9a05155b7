import Routing

/// The application behind `/demo/` (development mode): who is here, and messages from person to person.
enum DemoApplication {
    /// People that the demo lists and tells about each other.
    private static let audience = 200

    private struct Welcome: Codable, Sendable {
        struct Node: Codable, Sendable {
            let name: String
            let url: String
        }

        struct You: Codable, Sendable {
            let user: String
            let client: String
        }

        let node: String
        let nodes: [Node]
        let you: You
        let online: [String]
    }

    private struct Note: Decodable, Sendable {
        let to: String
        let text: String
    }

    private struct Message: Codable, Sendable {
        let from: String
        let text: String
        /// Milliseconds since 1970.
        let at: Int64
        let node: String
    }

    static func install(on station: Station) {
        station.on(.liveConnection) { [weak station] agent, reply in
            guard let running = try station?.current(), let user = agent.user, let client = agent.client else { return }
            let welcome = Welcome(
                node: running.nodeName, nodes: await running.neighbours().map { .init(name: $0.name, url: $0.url) },
                you: .init(user: user, client: client), online: try await running.onlineUsers(limit: self.audience))
            reply.event("demo:welcome", welcome)
        }
        for (change, event) in [(Presence.Change.userOnline, "demo:online"), (.userOffline, "demo:offline")] {
            station.on(change) { [weak station] presence in
                guard let station else { return }
                let audience = try await station.current().onlineUsers(limit: self.audience)
                try await station.send(to: audience, domain: presence.domain, event, presence.user)
            }
        }
        // {"user"} links people, {"user", "client"} two of their devices.
        station.on(.peerRequest) { agent, query in
            guard let user = query["user"]?.string, let own = agent.user else { return .deny }
            return .allow(user: user, client: query["client"]?.string, info: ["user": .string(own)])
        }
        station.action(.post, "/demo/send", requires: .loggedIn) { [weak station] request, agent, reply in
            guard let station, let from = agent.user else { return }
            let note = try request.body(as: Note.self)
            let message = Message(
                from: from, text: note.text, at: SystemClusterClock().wallTime(),
                node: try station.current().nodeName)
            reply.content(try await station.send(to: note.to, domain: agent.domain, "demo:message", message))
        }
    }
}
