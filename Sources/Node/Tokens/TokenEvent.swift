import Logging
import NIOCore
import Wire

/// The `auth` event: a live client whose token is about to expire brings a newer one (docs/adr/0014-tokens.md).
///
/// `{_id?, token}`, answered by its acknowledgement and by a `session` event with the same object: `{_id?, renewed: true,
/// expires}`, in milliseconds since 1970, or `{_id?, error}` with `INVALID` (shape), `FORBIDDEN` (not taken, or somebody
/// else's), `BUSY` or `UNAVAILABLE`. A refused one changes nothing: the old token holds until it ends.
enum TokenEvent {
    static let name = "auth"

    static func handler(_ tokens: TokenAuthority) -> EventTable.Handler {
        { event in
            let session = event.session
            let domain = session.handshake.domain
            guard let connection = session.connection, event.socket === connection, tokens.takes(domain) else {
                session.loop.counters.unhandledEvents += 1
                return
            }
            let answer = Answer(event)
            guard let token = answer.token else { return answer.refuse("INVALID", on: connection) }
            guard connection.identity?.isByToken == true else { return answer.refuse("FORBIDDEN", on: connection) }
            guard !connection.isTakingToken else { return answer.refuse("BUSY", on: connection) }
            connection.isTakingToken = true
            let socket = LoopSocket(connection)
            let isQueued = session.loop.server.work.submit {
                let found: Result<VerifiedToken, TokenRefusal>
                do throws(TokenRefusal) {
                    found = .success(try await tokens.verify(token, in: domain))
                } catch {
                    found = .failure(error)
                }
                socket.onLoop { Self.apply(found, answer, to: $0) }
            }
            guard !isQueued else { return }
            connection.isTakingToken = false
            answer.refuse("BUSY", on: connection)
        }
    }

    private static func apply(
        _ found: Result<VerifiedToken, TokenRefusal>, _ answer: Answer, to socket: LiveSocket
    ) {
        guard let connection = socket as? LiveConnection else { return }
        connection.isTakingToken = false
        guard connection.phase == .ready, let identity = connection.identity else { return }
        switch found {
        case .failure(.unavailable): answer.refuse("UNAVAILABLE", on: connection)
        case .failure: answer.refuse("FORBIDDEN", on: connection)
        case .success(let token):
            guard identity.isSamePerson(as: token) else { return answer.refuse("FORBIDDEN", on: connection) }
            connection.extend(to: token.warrant)
            // The other namespaces of this client: the same person, held by the same token.
            for other in connection.session.elsewhere.values {
                if let held = other.identity, held.isByToken, held.isSamePerson(as: token) {
                    other.extend(to: token.warrant)
                }
            }
            answer.accept(token, on: connection)
        }
    }

    /// What the client asked with, and how it is answered.
    private struct Answer: Sendable {
        let token: String?
        private let id: JSONValue?
        private let ack: DeferredAck?

        init(_ event: borrowing LoopEvent) {
            self.ack = event.deferredAck()
            let value = event.attachments.isEmpty ? try? JSONValue(text: ByteBuffer(bytes: event.rawArguments)) : nil
            self.token = value?["token"]?.string
            switch value?["_id"] {
            case .int(let number)?: self.id = .int(number)
            case .string(let text)? where text.utf8.count <= 64: self.id = .string(text)
            default: self.id = nil
            }
        }

        func refuse(_ error: String, on connection: LiveConnection) {
            self.send(["error": .string(error)], on: connection)
        }

        func accept(_ token: VerifiedToken, on connection: LiveConnection) {
            self.send(["renewed": true, "expires": .int(Int64(token.expires * 1_000))], on: connection)
        }

        private func send(_ members: [String: JSONValue], on connection: LiveConnection) {
            var object = members
            object["_id"] = self.id
            var text = ByteBuffer()
            JSONValue.object(object).write(to: &text)
            self.ack?.send(text)
            if connection.speaksProduct { connection.session.send(.session(text)) }
        }
    }
}
