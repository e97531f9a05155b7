import Backplane
import Logging
import Routing
import Wire

/// What it takes to serve the outbox (docs/outbox.md): the store, and how its documents become events of this station.
struct PostingService: Sendable {
    private let outbox: Backend.Outbox
    private let options: PostingOptions
    private let configuration: Configuration
    private let logger: Logger

    /// How long a node that asks others what they have written waits for them.
    private static let confirmation = Duration.seconds(5)

    /// - Returns: nil where the outbox is not served.
    init?(_ configuration: Configuration, _ backend: Backend, logger: Logger) {
        guard let outbox = backend.outbox, let chosen = configuration.mongo?.outbox else { return nil }
        self.outbox = outbox
        var options = PostingOptions()
        options.inFlight = chosen.inFlight
        options.pollInterval = Int64(chosen.poll * 1_000_000_000)
        options.retryFor = Nanoseconds.seconds(Int64(chosen.retry))
        self.options = options
        self.configuration = configuration
        self.logger = logger
    }

    /// For one incarnation.
    func runner(
        _ dispatcher: EventDispatcher, _ membership: Membership, _ live: LiveServer
    ) -> PostingRunner {
        let label = membership.own.label
        return PostingRunner(
            PostingRunner.Surroundings(
                own: membership.own.id, store: self.outbox.store, clock: SystemClusterClock(), view: membership,
                live: { holders throws(StoreError) in try await Self.live(holders, membership) },
                prepare: { self.prepare($0, live) }, lane: { MongoPostingStore.lane(of: $0) },
                send: { send, completion in
                    let trace = Self.trace(send.event, dispatcher)
                    dispatcher.send(
                        send.event.packet, to: send.event.key, client: send.event.client, trace: trace,
                        posting: send.mark
                    ) { completion(PostingOutcome(Receipt($0, trace), attempt: send.attempt, node: label)) }
                },
                confirm: { await self.confirm($0, dispatcher, live, label) },
                failed: { [logger] error in
                    logger.warning("the outbox waits for the store", metadata: ["error": "\(error)"])
                }), options: self.options)
    }

    /// Runs beside the incarnation.
    func run(_ runner: PostingRunner) async {
        let watch = self.outbox.makeWatch { runner.poke() }
        watch.start()
        await runner.run()
        await watch.stop()
    }

    /// The directory is up to 2 s behind: who is missing there is looked for in the registry.
    private static func live(
        _ holders: Set<NodeID>, _ membership: Membership
    ) async throws(StoreError) -> Set<NodeID> {
        var records = Array(membership.snapshot.records.values.filter { $0.state < .claimed })
        if !holders.isSubset(of: records.map(\.id)) { records = try await membership.freshNodes() }
        return Set(records.map(\.id))
    }

    private func prepare(_ posting: Posting, _ live: LiveServer) -> Result<PreparedPosting, PostingRefusal> {
        let domain: String
        if let named = posting.domain {
            guard let found = self.configuration.canonicalDomain(named) else {
                return .failure(PostingRefusal(.domain, "the domain \(named.prefix(255)) is not served"))
            }
            domain = found
        } else {
            guard let only = self.configuration.defaultDomain else {
                return .failure(PostingRefusal(.domain, "several domains are served: name one of them in domain"))
            }
            domain = only
        }
        do {
            let packet = try live.packet(posting.event, encoded: posting.arguments, namespace: "/")
            return .success(
                PreparedPosting(
                    key: RouteKey(domain: domain, user: posting.user), client: posting.client, packet: packet,
                    isConfirmed: posting.isConfirmed, isTraced: posting.isTraced, parent: posting.parent))
        } catch .reservedName {
            return .failure(PostingRefusal(.reserved, "\(posting.event) is a name that the service keeps for itself"))
        } catch .tooLarge(let bytes, let limit) {
            return .failure(PostingRefusal(.tooLarge, "the event has \(bytes) bytes, and the limit is \(limit)"))
        } catch .nameLength {
            return .failure(PostingRefusal(.event, "the name of an event has 1 to 128 bytes"))
        } catch {
            return .failure(PostingRefusal(.arguments, "\(error)"))
        }
    }

    private static func trace(_ event: PreparedPosting, _ dispatcher: EventDispatcher) -> TracedEvent? {
        dispatcher.beginTrace(isAsked: event.isTraced, in: event.parent.map { TraceSpan(under: $0) })
    }

    private func confirm(
        _ send: PostingSend, _ dispatcher: EventDispatcher, _ live: LiveServer, _ label: String
    ) async -> PostingOutcome {
        let trace = Self.trace(send.event, dispatcher)
        do {
            let confirmed = try await dispatcher.sendConfirmed(
                send.event.packet, to: send.event.key, client: send.event.client, trace: trace, posting: send.mark,
                timeout: Self.confirmation)
            return PostingOutcome(
                Receipt(confirmed, trace, names: live.nodeNames), attempt: send.attempt, node: label)
        } catch {
            // Too many requests are under way: it comes again.
            return PostingOutcome(isComplete: false, receipt: BSONDocument { $0.append("outcome", "unknown") })
        }
    }
}
