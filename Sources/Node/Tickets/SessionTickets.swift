package import Logging
internal import Metrics
internal import NIOCore
package import Routing

/// Hands out and redeems the tickets by which cookies come to a client whose session was changed over a socket (SPEC ID-17).
package final class SessionTickets: Sendable {
    /// Why a ticket is not redeemed.
    package enum Refusal: String, Error, CaseIterable, Sendable {
        /// Never issued, or gone.
        case unknown = "TICKET_UNKNOWN"
        case used = "TICKET_USED"
        case expired = "TICKET_EXPIRED"
        /// Issued in another domain.
        case domain = "TICKET_DOMAIN"
        /// The request has no session, or none of the login that the socket belonged to.
        case session = "TICKET_SESSION"
        /// The request names another socket.
        case socket = "TICKET_SOCKET"
        /// A page of another origin asks.
        case foreign = "FOREIGN"
    }

    /// What a redeemed ticket says of the session that it brings.
    package struct Session: Sendable, Equatable {
        package let standing: Agent.Standing
        package let user: String?
        package let client: String?
    }

    private let store: any TicketStore
    private let lifespan: Int64
    private let now: @Sendable () -> Int64
    private let logger: Logger
    private let issued = Counter(label: "submergence_session_tickets_issued_total")
    private let failed = Counter(label: "submergence_session_tickets_failed_total")
    private let redeemed = Counter(label: "submergence_session_tickets_redeemed_total")
    private let refused: [Refusal: Counter]

    /// - Parameter now: milliseconds since 1970, the same for all nodes.
    package init(
        store: any TicketStore, options: SessionOptions, now: @escaping @Sendable () -> Int64, logger: Logger
    ) {
        self.store = store
        self.lifespan = Int64(options.ticketLifespan * 1_000)
        self.now = now
        self.logger = logger
        self.refused = Dictionary(
            uniqueKeysWithValues: Refusal.allCases.map {
                (
                    $0,
                    Counter(
                        label: "submergence_session_tickets_refused_total", dimensions: [("reason", $0.rawValue)])
                )
            })
    }

    /// A ticket for the cookies that an agent's changes owe.
    ///
    /// - Parameters:
    ///   - chain: of the session that the socket had.
    ///   - socket: its SID.
    package func issue(for agent: Agent, chain: [UInt8], socket: String) async throws -> String {
        let ticket = SessionTicket.random()
        do {
            let content = TicketContent(
                cookies: agent.cookies,
                session: Session(standing: agent.standing, user: agent.user, client: agent.client))
            let sealed = try ticket.seal(content.bytes, for: Self.context(agent.domain, chain, socket))
            try await self.store.insert(
                TicketRecord(
                    id: ticket.hash, domain: agent.domain, chain: chain, socket: socket, sealed: sealed,
                    expires: self.now() + self.lifespan))
        } catch {
            self.failed.increment()
            throw error
        }
        self.issued.increment()
        return ticket.text
    }

    /// Gives the cookies of a ticket to the agent who has it. Nothing but its redemption uses a ticket up: who has only
    /// overheard it cannot spoil it.
    ///
    /// - Throws: ``Refusal``, or what the store throws.
    package func redeem(_ text: String, socket: String, for agent: Agent) async throws -> Session {
        do {
            guard agent.originIsOwn else { throw Refusal.foreign }
            guard let ticket = SessionTicket(text), let record = try await self.store.find(ticket.hash) else {
                throw Refusal.unknown
            }
            guard record.domain == agent.domain else { throw Refusal.domain }
            guard agent.session?.chain == record.chain else { throw Refusal.session }
            guard record.socket == socket else { throw Refusal.socket }
            guard !record.isUsed else { throw Refusal.used }
            guard self.now() < record.expires else { throw Refusal.expired }
            let context = Self.context(record.domain, record.chain, record.socket)
            guard let content = ticket.open(record.sealed, for: context).flatMap({ TicketContent($0) }) else {
                throw StoreError(.malformed, operation: "tickets.open", message: "the ticket does not open its record")
            }
            guard try await self.store.use(ticket.hash) else { throw Refusal.used }
            agent.owe(content.cookies)
            self.redeemed.increment()
            return content.session
        } catch let refusal as Refusal {
            self.note(refusal, agent)
            throw refusal
        }
    }

    /// Counts what is refused, and writes it to the log: honest clients meet it rarely.
    package func note(_ refusal: Refusal, _ agent: Agent) {
        self.refused[refusal]?.increment()
        self.logger.warning(
            "a session ticket is refused",
            metadata: ["reason": "\(refusal.rawValue)", "domain": "\(agent.domain)", "address": "\(agent.address)"])
    }

    private static func context(_ domain: String, _ chain: [UInt8], _ socket: String) -> [UInt8] {
        SignedFields.message("ticket/v1", Array(domain.utf8), chain, Array(socket.utf8))
    }
}
