import Node

struct Login: Decodable { let user, device: String }
func friends(of user: String) -> [String] { ["alice", "bob", "carol"].filter { $0 != user } }

let station = try Station(configuration: .development)
station.action(.post, "/login") { request, agent, reply in
    let who = try request.body(as: Login.self)
    try await agent.setActive(user: who.user, client: who.device)
    reply.content(["hello": who.user])
}
station.on(.userOnline) { presence in
    try await station.send(to: friends(of: presence.user), "online", presence.user)
}
try await station.run()
