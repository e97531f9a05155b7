internal import Logging
internal import Metrics
internal import NIOCore
internal import Routing
internal import Synchronization
internal import Wire

/// The configurations that are stored for this node's domains (SPEC RM-4): read at start, when another node tells of a
/// new one, after a gap of the bus, and from time to time, as a message may be lost. A node never goes back to an older
/// version.
final class DomainConfigurations: Sendable {
    /// What was complained of, so that it is not logged with each reading.
    private struct Complaint: Equatable {
        let version: Int64
        let why: String
    }

    private let store: any DomainStore
    private let webhooks: Webhooks
    /// What the node's own configuration says, by canonical domain: of all that are served.
    private let own: [String: WebhookOptions]
    private let policy: OutboundPolicy
    private let interval: Duration
    private let surroundings: DomainSurroundings
    private let logger: Logger
    private let metrics: ConfigurationMetrics
    private let refusals = MessageRefusals()
    private let complaints = Mutex<[String: Complaint]>([:])

    /// How often is read where files are read only once.
    private static let usualInterval = Duration.seconds(30)

    /// - Parameter refresh: seconds between two readings; 0: 30.
    init(
        store: any DomainStore, webhooks: Webhooks, own: [String: WebhookOptions], policy: OutboundPolicy,
        refresh: Double, _ surroundings: DomainSurroundings, logger: Logger
    ) {
        self.store = store
        self.webhooks = webhooks
        self.own = own
        self.policy = policy
        self.interval = refresh > 0 ? .seconds(refresh) : Self.usualInterval
        self.surroundings = surroundings
        self.logger = logger
        self.metrics = ConfigurationMetrics(domains: own.keys)
    }

    // MARK: Asked by the control API

    /// - Parameter domain: one that is served.
    func answer(for domain: String) async throws(StoreError) -> DomainAnswer {
        let applied = self.webhooks.version(of: domain)
        guard let record = try await self.store.find(domain) else {
            return DomainAnswer(
                domain: domain, version: 0, applied: applied, source: .node,
                configuration: DomainDocument(self.own[domain] ?? WebhookOptions()).json, changed: nil, author: nil)
        }
        let configuration: JSONValue
        do {
            configuration = try JSONValue(text: ByteBuffer(bytes: record.document))
        } catch {
            throw StoreError(.malformed, operation: "domains.read", message: "what is stored is not JSON (\(error))")
        }
        return DomainAnswer(
            domain: domain, version: record.version, applied: applied, source: .stored, configuration: configuration,
            changed: record.changed, author: record.author)
    }

    /// Stores a configuration, applies it here, and tells the other nodes.
    ///
    /// - Parameters:
    ///   - domain: one that is served.
    ///   - version: what it replaces; 0: nothing.
    ///   - author: the name of the control key.
    /// - Returns: the version that it has.
    /// - Throws: ``DomainRefusal`` or `StoreError`; then nothing is stored, unless the error says that this is not
    ///   known.
    func put(
        _ configuration: JSONValue, for domain: String, replacing version: Int64, by author: String
    ) async throws -> Int64 {
        let document: DomainDocument
        do throws(DomainMistakes) {
            document = try DomainDocumentReader.read(configuration)
        } catch {
            throw DomainRefusal.mistakes(error)
        }
        if let mistake = await self.mistake(in: document.target) {
            throw DomainRefusal.mistakes(DomainMistakes(all: [mistake]))
        }
        do throws(WebhookSecret.Unusable) {
            try self.checkSecret(document.options(over: self.own[domain] ?? WebhookOptions()))
        } catch {
            throw DomainRefusal.secret(why: error.description)
        }
        guard version < Int64.max else { throw DomainRefusal.stale(version: try await self.present(domain)) }
        var text = ByteBuffer()
        configuration.write(to: &text)
        let record = DomainRecord(
            domain: domain, version: version + 1, document: Array(text.readableBytesView), author: author,
            changed: self.surroundings.now())
        if let present = try await self.store.replace(by: record) { throw DomainRefusal.stale(version: present) }
        self.apply(record)
        self.tellOthers(DomainNotice(domain: domain, version: record.version))
        return record.version
    }

    private func present(_ domain: String) async throws(StoreError) -> Int64 {
        try await self.store.find(domain)?.version ?? 0
    }

    /// What would fail with every request. A name that nobody knows at the moment may be known later.
    private func mistake(in target: String?) async -> DomainMistake? {
        guard let target, let address = OutboundAddress(target) else { return nil }
        do {
            _ = try await self.policy.destination(of: address)
            return nil
        } catch let refusal as OutboundPolicy.Refusal {
            return DomainMistake(path: "/target", message: "may not be asked: \(refusal.description)")
        } catch {
            self.logger.notice(
                "the target of a new configuration cannot be resolved",
                metadata: ["host": "\(address.host)", "error": "\(error)"])
            return nil
        }
    }

    /// A request that nobody could believe is not sent.
    private func checkSecret(_ options: WebhookOptions) throws(WebhookSecret.Unusable) {
        guard options.isUsed else { return }
        guard options.secrets != .none else {
            throw WebhookSecret.Unusable(description: "the node has none for this domain")
        }
        _ = try WebhookSecret.load(options.secrets)
    }

    /// A node that is not reached reads by itself, a while later.
    private func tellOthers(_ notice: DomainNotice) {
        let surroundings = self.surroundings
        let isAccepted = surroundings.submit {
            do throws(StoreError) {
                let own = surroundings.localNode()
                for node in try await surroundings.nodes().records where node.id != own && node.state < .claimed {
                    surroundings.publish(notice.message, node)
                }
            } catch {
                self.logger.warning(
                    "other nodes are not told of a domain's configuration, and read it a while later",
                    metadata: ["domain": "\(notice.domain)", "error": "\(error)"])
            }
        }
        if !isAccepted {
            self.logger.warning(
                "other nodes are not told of a domain's configuration, and read it a while later",
                metadata: ["domain": "\(notice.domain)", "error": "too much work waits"])
        }
    }

    // MARK: Applying

    /// Reads what is stored: before the first request comes.
    func start() async throws(StoreError) { try await self.refresh() }

    /// Reads again, from time to time, until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: self.interval) } catch { return }
            await self.refreshOrComplain()
        }
    }

    /// Messages may have been lost. A pool that is full counts what it refuses; the next reading is not far.
    func reread() { _ = self.surroundings.submit { await self.refreshOrComplain() } }

    /// A message of another node. Called on a thread of the bus.
    func receive(_ message: BusMessage) {
        let notice: DomainNotice
        do throws(PeerMessageError) {
            notice = try DomainNotice(message)
        } catch {
            self.refusals.count(error, in: message.kind, self.logger)
            return
        }
        guard self.own[notice.domain] != nil, notice.version > self.webhooks.version(of: notice.domain) else { return }
        self.reread()
    }

    private func refreshOrComplain() async {
        do throws(StoreError) {
            try await self.refresh()
        } catch {
            self.metrics.failedReads.increment()
            self.logger.warning("configurations of domains cannot be read", metadata: ["error": "\(error)"])
        }
    }

    private func refresh() async throws(StoreError) {
        for (domain, version) in try await self.store.versions(of: self.own.keys.sorted()) {
            guard version > self.webhooks.version(of: domain) else { continue }
            if let record = try await self.store.find(domain) { self.apply(record) }
        }
    }

    /// What cannot be applied changes nothing; it is tried again with the next reading.
    private func apply(_ record: DomainRecord) {
        guard let own = self.own[record.domain] else { return }
        do {
            let document = try DomainDocumentReader.read(try JSONValue(text: ByteBuffer(bytes: record.document)))
            let options = document.options(over: own)
            try self.checkSecret(options)
            guard try self.webhooks.configure(record.domain, options, version: record.version) else { return }
        } catch {
            self.metrics.refused.increment()
            let complaint = Complaint(version: record.version, why: "\(error)")
            guard self.complaints.withLock({ $0.updateValue(complaint, forKey: record.domain) }) != complaint else {
                return
            }
            self.logger.error(
                "a domain's configuration cannot be applied here: what was there before goes on",
                metadata: ["domain": "\(record.domain)", "version": "\(record.version)", "error": "\(error)"])
            return
        }
        self.complaints.withLock { $0[record.domain] = nil }
        self.metrics.applied.increment()
        self.metrics.note(record.version, of: record.domain)
        self.logger.notice(
            "a domain's configuration is applied",
            metadata: ["domain": "\(record.domain)", "version": "\(record.version)", "author": "\(record.author)"])
    }
}
