import Logging
import NIOCore
import Routing
import Wire

/// What logouts, logins and kicks of any node mean for the sockets of this one, in every namespace, connecting and polling ones
/// included (SPEC ID-10, ID-13, ID-14).
struct SessionGuard: Sendable {
    let live: LiveServer
    let work: WorkPool
    let logger: Logger

    /// Whether a session still holds sockets, read through the cache; throws while it cannot be read.
    typealias Reader = @Sendable (_ hash: [UInt8], _ domain: String) async throws -> Bool

    func kick(_ kick: Kick, done: RevocationCut) {
        let key = RouteKey(domain: kick.domain, user: kick.user)
        self.visit(done) { loop, tally in
            for socket in loop.sockets(of: key, client: kick.client) { tally.cut(socket, kick.reason) }
        }
    }

    /// Sockets of the marked sessions end, unless a new login of the same person took them over.
    func invalidate(
        _ invalidation: Invalidation, isActive: @escaping Reader, done: RevocationCut
    ) {
        let key = RouteKey(domain: invalidation.domain, user: invalidation.user)
        self.visit(done) { loop, tally in
            for socket in loop.sockets(of: key, client: invalidation.client) {
                guard let identity = socket.identity else { continue }
                guard let session = identity.session else {
                    // All of the client's logins end; a token's is one of them (docs/identity.md).
                    if identity.isByToken, invalidation.chain == nil { tally.cut(socket, invalidation.reason) }
                    continue
                }
                if let chain = invalidation.chain, session.chain != chain { continue }
                if let successor = invalidation.successor {
                    // The next look at its session says how long it holds.
                    let warrant = Warrant(ask: .max, end: identity.warrant.end)
                    socket.rebind(to: SessionHold(session: .init(hash: successor, chain: successor), warrant: warrant))
                } else {
                    self.recheck(socket, session, identity.domain, invalidation.reason, isActive: isActive, tally)
                }
            }
        }
    }

    /// After a gap any invalidation may have been missed: every socket's session is read again (SPEC ND-9).
    func recheckAll(isActive: @escaping Reader) {
        self.visit(.untold) { loop, tally in
            for socket in loop.identified {
                guard let identity = socket.identity, let session = identity.session else { continue }
                self.recheck(socket, session, identity.domain, .session, isActive: isActive, tally)
            }
        }
    }

    /// Proofs of domesticity that a removed signing key had made are none any more; who they belong to is unaffected (SPEC ID-2,
    /// ID-5).
    func forget(keys: Set<[UInt8]>) {
        self.live.onEveryLoop { loop in
            for socket in loop.identified { socket.identity = socket.identity?.without(keys: keys) }
        }
    }

    private func visit(
        _ done: RevocationCut, _ body: @escaping @Sendable (LiveLoop, CutTally) -> Void
    ) {
        let tally = CutTally(done)
        self.live.onEveryLoop(entering: tally) { loop in
            body(loop, tally)
            tally.leave()
        }
        tally.leave()
    }

    /// A session that cannot be read ends its socket, too: it comes back when it can.
    private func recheck(
        _ socket: LiveSocket, _ session: ConnectionIdentity.Session, _ domain: String, _ reason: LogoutReason,
        isActive: @escaping Reader, _ tally: CutTally
    ) {
        let handle = LoopSocket(socket)
        tally.enter()
        let isQueued = self.work.submit {
            var end: LogoutReason? = reason
            do {
                if try await isActive(session.hash, domain) { end = nil }
            } catch {
                self.logger.warning("a session could not be checked", metadata: ["error": "\(error)"])
                end = .node
            }
            guard let end else { return tally.leave() }
            handle.onLoop { socket in
                tally.cut(socket, end)
                tally.leave()
            }
        }
        if !isQueued {
            tally.cut(socket, .node)
            tally.leave()
        }
    }
}
