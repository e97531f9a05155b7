import Logging
import Metrics
import NIOCore
import Routing

/// What the Links of all connections of a node share, over all its incarnations.
final class LinkService: Sendable {
    struct Limits: Sendable {
        /// Connections of a party that take part in its Links.
        var members: Int
        /// Bytes of a query, and of the hook's info.
        var label: Int
        var signal: PeerPacket.Limits
        /// Requests of one socket that are being decided or opened.
        var pendingRequests: Int
        /// Signals of one socket that wait for their Link to be read, and the bytes of these.
        var waitingSignals: Int
        var waitingSignalBytes: Int
        /// Between a request and its answer (SPEC LK-4).
        var requestTimeout: TimeAmount
    }

    let store: any LinkStore
    let keyring: LinkKeyring
    let hook: PeerRequestHandler
    let limits: Limits
    let metrics = LinkMetrics()
    let logger: Logger

    init(
        store: any LinkStore, keyring: LinkKeyring, hook: @escaping PeerRequestHandler, limits: Limits, logger: Logger
    ) {
        self.store = store
        self.keyring = keyring
        self.hook = hook
        self.limits = limits
        self.logger = logger
    }

    /// What the hook has decided, in the form that it is opened by.
    /// - Throws: ``LinkError``: denied, or nothing that could be opened.
    func decide(
        _ agent: Agent, _ identity: ConnectionIdentity, _ query: JSONValue
    ) async throws(LinkError) -> LinkOpening.Request {
        let decision: LinkDecision
        do {
            decision = try await self.hook(agent, query)
        } catch {
            self.metrics.failures.increment()
            self.logger.error("peerRequest handler failed", metadata: ["error": "\(error)"])
            throw .forbidden
        }
        guard case .allow(let user, let client, let info) = decision else { throw .forbidden }
        let (known, label) = (Self.text(info), Self.text(query))
        guard Identifier.isValid(user), client.map({ Identifier.isValid($0) }) ?? true,
            known.utf8.count <= self.limits.label
        else {
            self.metrics.failures.increment()
            self.logger.error("peerRequest handler allowed what cannot be: an identifier or the info is too long")
            throw .forbidden
        }
        return LinkOpening.Request(
            domain: identity.domain,
            // Kinds are never mixed (LK-1).
            requester: LinkParty(user: identity.user, client: client == nil ? nil : identity.client),
            target: LinkParty(user: user, client: client), info: known, query: label)
    }

    private static func text(_ value: JSONValue) -> String {
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        return String(buffer: buffer)
    }
}
