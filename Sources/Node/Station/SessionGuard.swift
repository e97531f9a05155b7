import Logging
import NIOCore
import Routing
import Wire

/// What logouts, logins and kicks of any node mean for the sockets of this one (SPEC ID-10, ID-13, ID-14).
struct SessionGuard: Sendable {
    let index: ConnectionIndex
    let work: WorkPool
    let logger: Logger

    /// The present standing of a session, read through the cache; throws while it cannot be read.
    typealias Reader = @Sendable (_ hash: [UInt8], _ domain: String) async throws -> Bool

    func kick(_ kick: Kick) {
        let key = RouteKey(domain: kick.domain, user: kick.user)
        self.index.end(key, client: kick.client, reason: kick.reason) { _ in }
    }

    /// Sockets of the marked sessions end, unless a new login of the same person took them over.
    func invalidate(_ invalidation: Invalidation, isActive: @escaping Reader) {
        let key = RouteKey(domain: invalidation.domain, user: invalidation.user)
        self.index.visit(key) { table in
            let connections = table.connections(of: key, client: invalidation.client).compactMap {
                $0 as? LiveConnection
            }
            for connection in connections {
                guard let session = connection.identity?.session else { continue }
                if let chain = invalidation.chain, session.chain != chain { continue }
                if let successor = invalidation.successor {
                    connection.rebind(to: .init(hash: successor, chain: successor))
                } else {
                    self.recheck(connection, session, invalidation, isActive: isActive)
                }
            }
            return connections.count
        } completion: { _ in
        }
    }

    /// After a gap any invalidation may have been missed: every socket's session is read again (SPEC ND-9).
    func recheckAll(isActive: @escaping Reader) {
        self.index.onEveryLoop { table in
            for connection in table.allConnections.compactMap({ $0 as? LiveConnection }) {
                guard let identity = connection.identity, let session = identity.session else { continue }
                let invalidation = Invalidation(
                    domain: identity.domain, user: identity.user, client: identity.client, reason: .session)
                self.recheck(connection, session, invalidation, isActive: isActive)
            }
        }
    }

    /// A session that cannot be read ends its socket, too: it comes back when it can.
    private func recheck(
        _ connection: LiveConnection, _ session: ConnectionIdentity.Session, _ invalidation: Invalidation,
        isActive: @escaping Reader
    ) {
        let bound = NIOLoopBound(connection, eventLoop: connection.session.loop.eventLoop)
        let isQueued = self.work.submit {
            var reason: LogoutReason? = invalidation.reason
            do {
                if try await isActive(session.hash, invalidation.domain) { reason = nil }
            } catch {
                self.logger.warning("a session could not be checked", metadata: ["error": "\(error)"])
                reason = .node
            }
            if let reason { bound.execute { $0.end(reason) } }
        }
        if !isQueued { connection.end(.node) }
    }
}
