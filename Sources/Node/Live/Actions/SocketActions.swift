import Logging
import Metrics
import NIOCore
import Routing
import Wire

/// What the actions of all sockets of a node share: the pipeline that HTTP has, too (SPEC AC-1), agents, and tickets.
final class SocketActions: Sendable {
    /// Reads a connection's session again, through the cache, and makes the agent of one action.
    typealias AgentReader = @Sendable (Requester, ActionTurn) async throws -> Agent

    /// Who asks, as the connection knows it when the action starts.
    struct Requester: Sendable {
        let identity: ConnectionIdentity
        /// The SID.
        let socket: String
        let address: String
        let userAgent: String?
        /// Whether no page of another origin has made the connection (SPEC ID-5).
        let originIsOwn: Bool
        let speaksProduct: Bool
    }

    let queueLimits: ActionQueue<PendingAction>.Limits
    let streamsPerSocket: Int
    let streamStall: TimeAmount
    let metrics = SocketActionMetrics()
    private let maximumReply: Int
    private let pipeline: ActionPipeline
    private let agent: AgentReader
    private let tickets: SessionTickets
    private let logger: Logger

    init(
        pipeline: ActionPipeline, tickets: SessionTickets, limits: LimitOptions, logger: Logger,
        agent: @escaping AgentReader
    ) {
        self.pipeline = pipeline
        self.tickets = tickets
        self.queueLimits = .init(
            running: limits.runningActions, waiting: limits.waitingActions, waitingBytes: limits.waitingActionBytes)
        self.streamsPerSocket = limits.streamsPerSocket
        self.streamStall = .milliseconds(Int64(limits.streamStall * 1_000))
        self.maximumReply = limits.maximumReply
        self.logger = logger
        self.agent = agent
    }

    /// Runs an action to its answer. Never fails to give one.
    func answer(_ packet: ActionPacket, _ requester: Requester, _ turn: ActionTurn) async -> SocketAnswer {
        let (body, type): (ActionCall.Body, String?) =
            switch packet.body {
            case .none: (.none, nil)
            case .json(let text): (.bytes(text), "application/json")
            case .binary(let bytes): (.bytes(bytes), "application/octet-stream")
            }
        let call = ActionCall(
            transport: .socket, method: packet.method, target: packet.url, domain: requester.identity.domain,
            address: requester.address, contentType: type, body: body, query: packet.query,
            // What the socket proved when it joined is what counts (SPEC ID-4).
            hasProof: true
        ) {
            let agent = try await self.agent(requester, turn)
            turn.agent = agent
            return agent
        }
        var answer = await self.pipeline.run(call)
        if packet.method == .head {
            answer.stream?.cancel()
            answer.stream = nil
        }
        var reply = ActionReply(id: packet.id, answer, speaksProduct: requester.speaksProduct)
        if packet.method == .head { reply.content = nil }
        if !answer.cookies.isEmpty, let session = requester.identity.session, let agent = turn.agent {
            reply.ticket = await self.ticket(for: agent, session, requester.socket)
        }
        let events = requester.speaksProduct ? [] : self.packets(of: answer.events)
        let json = reply.json
        guard json.readableBytes <= self.maximumReply else {
            answer.stream?.cancel()
            self.logger.error(
                "the reply of an action is too large for a socket",
                metadata: ["bytes": "\(json.readableBytes)", "limit": "\(self.maximumReply)"])
            var error = ActionReply(id: packet.id, ActionAnswer(.largeReply), speaksProduct: requester.speaksProduct)
            error.ticket = reply.ticket
            return SocketAnswer(json: error.json, isTooLarge: true)
        }
        return SocketAnswer(json: json, events: events, stream: answer.stream)
    }

    /// The answer to what never came to the pipeline, logged as any other (SPEC AC-12, AC-13).
    func refuse(
        _ error: ActionError, id: MessageID?, _ packet: ActionPacket?, domain: String, address: String,
        speaksProduct: Bool
    ) -> SocketAnswer {
        let call = ActionCall(
            transport: .socket, method: packet?.method ?? "", target: packet?.url ?? "", domain: domain,
            address: address
        ) { throw error }
        let answer = self.pipeline.refuse(call, with: error)
        return SocketAnswer(json: ActionReply(id: id, answer, speaksProduct: speaksProduct).json)
    }

    /// nil where it could not be stored: the session has changed all the same, and the client has to log in again over HTTP.
    private func ticket(
        for agent: Agent, _ session: ConnectionIdentity.Session, _ socket: String
    ) async -> String? {
        do {
            return try await self.tickets.issue(for: agent, chain: session.chain, socket: socket)
        } catch {
            self.logger.warning("a session ticket was not stored", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Events of a reply as plain clients get them: indistinguishable from sent ones (SPEC EV-5). One that cannot be sent is
    /// left out, as the action has been done.
    private func packets(of events: [JSONValue]) -> [OutboundPacket] {
        events.compactMap { event in
            do {
                return try OutboundPacket.event(event)
            } catch {
                self.metrics.eventsRefused.increment()
                self.logger.error("an event of a reply cannot be sent", metadata: ["error": "\(error)"])
                return nil
            }
        }
    }
}

/// An action that waits for its turn, and whether its client wants an acknowledgement.
struct PendingAction: Sendable {
    let packet: ActionPacket
    let ackID: Int64?
}

/// What goes to a socket in answer to one action.
struct SocketAnswer: Sendable {
    /// The object of `reply`.
    var json: ByteBuffer
    /// Before the reply.
    var events: [OutboundPacket] = []
    /// Behind it.
    var stream: AnswerStream?
    var isTooLarge = false
}

/// The metrics of actions over sockets that `submergence_action_seconds` does not have (docs/operations.md).
final class SocketActionMetrics: Sendable {
    let waited = Counter(label: "submergence_socket_actions_waited_total")
    let unanswered = Counter(label: "submergence_socket_actions_unanswered_total")
    let eventsRefused = Counter(label: "submergence_socket_reply_events_refused_total")
    let invalidChunks = Counter(label: "submergence_socket_chunks_invalid_total")
    private let streams: [StreamEnd: Counter]

    init() {
        self.streams = Dictionary(
            uniqueKeysWithValues: StreamEnd.allCases.map {
                ($0, Counter(label: "submergence_socket_streams_total", dimensions: [("outcome", $0.rawValue)]))
            })
    }

    func ended(_ how: StreamEnd) { self.streams[how]?.increment() }
}

/// How the stream of an answer ended.
enum StreamEnd: String, CaseIterable, Sendable {
    case complete
    /// Its source failed, or could not be asked.
    case failed
    /// The client wanted no more.
    case cancelled
    /// The client acknowledged nothing for too long.
    case stalled
    /// The socket went.
    case lost
}
