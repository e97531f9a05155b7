/// `POST /.well-known/submergence/session` (SPEC ID-16, ID-17): the way by which cookies reach a client of sockets. With a ticket
/// it brings those of a change that an action over a socket has made; without one, those of a renewal that is due.
enum SessionEndpoint {
    static let path: ActionPath = "/.well-known/submergence/session"

    private struct Redemption: Decodable {
        let ticket: String
        /// The SID of the socket that got the ticket.
        let sid: String
    }

    static func action(_ tickets: SessionTickets) -> Action {
        let options = ActionOptions(maxBodyLength: 1_024, isHidden: true)
        return Action(.post, self.path, options: options) { request, agent, reply in
            // A socket cannot set cookies, which is why this is here.
            guard request.transport == .http else { throw ActionError(400, "TRANSPORT") }
            if case .none = request.body {
                guard agent.originIsOwn else { throw ActionError(403, "FOREIGN") }
                guard agent.isDomestic else { throw ActionError(403, "DOMESTIC") }
                return self.tell(.init(standing: agent.standing, user: agent.user, client: agent.client), reply)
            }
            let redemption = try request.body(as: Redemption.self)
            do {
                let session = try await tickets.redeem(redemption.ticket, socket: redemption.sid, for: agent)
                self.tell(session, reply)
            } catch let refusal as SessionTickets.Refusal {
                throw ActionError(403, refusal.rawValue)
            }
        }
    }

    private static func tell(_ session: SessionTickets.Session, _ reply: Reply) {
        reply.content(
            [
                "user": session.user.map { .string($0) } ?? .null,
                "client": session.client.map { .string($0) } ?? .null,
                "isLoggedIn": .bool(session.standing == .active), "standing": .string(session.standing.rawValue),
            ] as JSONValue)
    }
}
