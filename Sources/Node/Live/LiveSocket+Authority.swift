import Logging
import NIOCore
import Routing
import Wire

/// A session that holds a socket, as it was found when it was looked at.
struct SessionHold: Sendable, Equatable {
    /// The newest one of its chain that a browser has presented.
    let session: ConnectionIdentity.Session
    let warrant: Warrant
}

/// Looks at the session of an open socket, notes that the connection is activity (SPEC ID-8), and says what holds it now.
///
/// - Returns: nil when nothing does.
typealias SessionWatch = @Sendable (_ hash: [UInt8], _ domain: String) async throws -> SessionHold?

/// How long a socket's identity holds it (SPEC ID-8, ID-16). Time is the session's place in the loop's wheel: no socket has a
/// timer of its own.
extension LiveSocket {
    /// The socket has joined: from now on its authority is looked at.
    func watchAuthority() {
        guard let identity = self.identity else { return }
        self.isAskDue = self.mayBeAsked
        self.authorityDeadline = self.nextAuthorityDeadline(of: identity)
        self.session.reschedule()
    }

    func authorityDue(at now: NIODeadline) {
        guard now >= self.authorityDeadline, let identity = self.identity else { return }
        let server = self.session.loop.server
        guard server.wallTime < identity.warrant.end else { return self.endAuthority(.expired) }
        guard let session = identity.session else {
            self.askIfDue(identity)
            self.authorityDeadline = self.nextAuthorityDeadline(of: identity)
            return
        }
        // Whatever becomes of this look, another one follows.
        self.authorityDeadline = now + server.sessionCheckInterval
        let socket = LoopSocket(self)
        // A pool that is full takes the next one.
        _ = server.work.submit {
            do {
                let hold = try await server.watchSession(session.hash, identity.domain)
                socket.onLoop { $0.held(by: hold, after: session) }
            } catch {
                server.logger.debug("a session could not be looked at", metadata: ["error": "\(error)"])
            }
        }
    }

    /// - Parameter session: the one that was looked at; the socket may have got another one meanwhile.
    private func held(by hold: SessionHold?, after session: ConnectionIdentity.Session) {
        guard let identity = self.identity, identity.session == session, self.authorityDeadline != .distantFuture else {
            return
        }
        guard let hold else {
            let isOver = self.session.loop.server.wallTime >= identity.warrant.end
            return self.endAuthority(isOver ? .expired : .session)
        }
        if hold.session != session { self.rebind(to: hold) }
        guard let identity = self.identity else { return }
        self.askIfDue(identity)
        self.authorityDeadline = self.nextAuthorityDeadline(of: identity)
        self.session.reschedule()
    }

    /// The same person goes on with another session: renewed (SPEC ID-9), or logged in anew (ID-10).
    func rebind(to hold: SessionHold) {
        self.identity = self.identity?.bound(to: hold.session, hold.warrant)
        self.isAskDue = self.mayBeAsked
        guard self.authorityDeadline != .distantFuture, let identity = self.identity else { return }
        self.authorityDeadline = self.nextAuthorityDeadline(of: identity)
    }

    /// The same person brought a newer token.
    func extend(to warrant: Warrant) {
        guard let identity = self.identity?.extended(to: warrant) else { return }
        self.identity = identity
        self.watchAuthority()
    }

    private func askIfDue(_ identity: ConnectionIdentity) {
        guard self.isAskDue, self.session.loop.server.wallTime >= identity.warrant.ask else { return }
        self.isAskDue = false
        self.session.send(.askToRenew)
    }

    /// The earliest of: the end, the question, the next look at the session.
    private func nextAuthorityDeadline(of identity: ConnectionIdentity) -> NIODeadline {
        let server = self.session.loop.server
        let warrant = identity.warrant
        let moment = self.isAskDue ? min(warrant.ask, warrant.end) : warrant.end
        var wait: TimeAmount?
        // A day at most: a clock that is set meanwhile is noticed.
        if moment != .max { wait = .milliseconds(min(max(moment - server.wallTime, 0), 86_400_000)) }
        if identity.session != nil {
            let interval = server.sessionCheckInterval
            // Spread, as many sockets may have come at once.
            let look = TimeAmount.nanoseconds(interval.nanoseconds / 2 + Int64.random(in: 0...interval.nanoseconds / 2))
            wait = wait.map { min($0, look) } ?? look
        }
        return wait.map { NIODeadline.now() + $0 } ?? .distantFuture
    }
}
