internal import Logging
internal import Metrics
internal import Routing
internal import Synchronization

/// The webhooks of all domains: which there are, and what of a domain's actions and hooks goes to them (SPEC RM-2 to RM-4).
final class Webhooks: Sendable {
    /// What one domain has.
    private struct Entry: Sendable {
        /// nil: nothing causes a request.
        var target: WebhookTarget?
        let options: WebhookOptions
        /// Of the configuration that is stored for the domain; 0: these are the node's own.
        var version: Int64
        /// The application's own actions, and behind them those that are forwarded.
        let router: ActionRouter
    }

    private let own: ActionRouter
    private let refresh: Duration
    private let environment: WebhookTarget.Environment
    private let entries = Mutex<[String: Entry]>([:])
    private let failedReads = Counter(label: "submergence_webhook_secret_reads_failed_total")
    /// The last complaint of each domain: the same one is not logged every time.
    private let complaints = Mutex<[String: WebhookSecret.Unusable]>([:])

    /// - Parameters:
    ///   - own: the actions of the application itself.
    ///   - refresh: seconds between readings of secrets from files; 0: they are read once.
    init(_ own: ActionRouter, refresh: Double, _ environment: WebhookTarget.Environment) {
        self.own = own
        self.refresh = .seconds(refresh)
        self.environment = environment
    }

    // MARK: Configuring

    /// Sets what a domain has, in place of what it had. Requests under way, and those that wait, end as they began.
    ///
    /// - Parameters:
    ///   - options: in order (``WebhookOptions/complaints``).
    ///   - version: of what is stored in the database; nothing changes where as new a one, or a newer, is there.
    ///     Actions of such share one name in metrics, as whoever may store them could make up any number. 0: they are
    ///     the node's own.
    /// - Returns: whether they count now.
    /// - Throws: ``WebhookSecret/Unusable`` or ``ActionRouter/InvalidAction``; then nothing has changed.
    @discardableResult
    func configure(_ domain: String, _ options: WebhookOptions, version: Int64 = 0) throws -> Bool {
        let isThere = self.entries.withLock { entries -> Bool? in
            guard let present = entries[domain] else { return nil }
            guard version == 0 || present.version < version else { return false }
            guard present.options == options else { return nil }
            // Connections and what is known of the target stay.
            entries[domain]?.version = version
            return true
        }
        if let isThere { return isThere }
        var target: WebhookTarget?
        var router = self.own
        if options.isUsed, let text = options.target, let address = OutboundAddress(text) {
            let secrets = try WebhookSecret.load(options.secrets)
            let made = WebhookTarget(domain: domain, options, at: address, signedBy: secrets, self.environment)
            router = try ActionRouter(
                self.own.actions + options.actions.map { Self.action($0, made, isStored: version > 0) })
            target = made
        }
        let entry = Entry(target: target, options: options, version: version, router: router)
        // The target that was there ends with the last of its requests.
        let (isTaken, _) = self.entries.withLock { entries -> (Bool, Entry?) in
            if let present = entries[domain], version > 0, present.version >= version { return (false, nil) }
            return (true, entries.updateValue(entry, forKey: domain))
        }
        return isTaken
    }

    /// The version of the stored configuration that a domain goes by; 0 for none.
    func version(of domain: String) -> Int64 { self.entries.withLock { $0[domain]?.version ?? 0 } }

    private static func action(_ action: WebhookAction, _ target: WebhookTarget, isStored: Bool) -> Action {
        var made = Action(
            action.method, action.actionPath, requires: action.requirements, options: action.options
        ) { request, agent, reply in
            try await target.answer(request, agent, reply, for: action)
        }
        if isStored { made.label = "stored" }
        return made
    }

    // MARK: Asking

    /// The actions of a domain.
    func router(for domain: String) -> ActionRouter {
        self.entries.withLock { $0[domain]?.router } ?? self.own
    }

    private func target(_ hook: WebhookOptions.Hook, _ domain: String) -> WebhookTarget? {
        self.entries.withLock { entries in
            guard let entry = entries[domain], entry.options.hooks.contains(hook) else { return nil }
            return entry.target
        }
    }

    /// Whether the hook goes over HTTP in that domain.
    func has(_ hook: WebhookOptions.Hook, in domain: String) -> Bool { self.target(hook, domain) != nil }

    /// - Returns: nil where the hook does not go over HTTP in that domain.
    /// - Throws: ``WebhookFailure``: the request is denied.
    func decide(_ agent: Agent, _ query: JSONValue) async throws -> LinkDecision? {
        guard let target = self.target(.peerRequest, agent.domain) else { return nil }
        return try await target.ask(WebhookRequest(linkFor: agent, query: query)) { body throws(WebhookFailure) in
            try LinkDecision(webhook: body)
        }
    }

    /// A connection has come live; events of the answer go there.
    /// - Throws: what made the answer unusable: there are no events then.
    func greet(_ agent: Agent, _ reply: Reply) async throws {
        guard let target = self.target(.liveConnection, agent.domain) else { return }
        let answer = try await target.ask(WebhookRequest(live: agent)) { body throws(WebhookFailure) in
            try WebhookReply(body)
        }
        reply.events(answer.events)
    }

    /// Tells of a change of presence; returns when it has been taken, or is given up.
    /// - Parameter deadline: milliseconds of ``now``.
    func deliver(_ presence: Presence, until deadline: Int64) async {
        await self.target(.presence, presence.domain)?.deliver(presence, until: deadline)
    }

    /// Milliseconds of a clock that only runs forward.
    var now: Int64 { self.environment.now() }

    // MARK: Working

    /// Reads secrets again that are in files, until the task is cancelled.
    func run() async {
        guard self.refresh > .zero else { return }
        while !Task.isCancelled {
            do { try await Task.sleep(for: self.refresh) } catch { return }
            self.reload()
        }
    }

    /// What cannot be used changes nothing.
    func reload() {
        for (domain, entry) in self.entries.withLock(\.self) {
            guard case .file = entry.options.secrets, let target = entry.target else { continue }
            do throws(WebhookSecret.Unusable) {
                let secrets = try WebhookSecret.load(entry.options.secrets)
                self.complaints.withLock { $0[domain] = nil }
                guard target.replaceSecrets(secrets) else { continue }
                self.environment.logger.notice(
                    "the secrets of webhooks have changed",
                    metadata: ["domain": "\(domain)", "keys": "\(secrets.map(\.id).joined(separator: ","))"])
            } catch {
                self.failedReads.increment()
                let isNew = self.complaints.withLock { $0.updateValue(error, forKey: domain) != error }
                if isNew {
                    self.environment.logger.error(
                        "the secrets of webhooks are not read again",
                        metadata: ["domain": "\(domain)", "error": "\(error)"])
                }
            }
        }
    }

    /// Nothing is asked any more.
    func close() {
        let entries = self.entries.withLock { entries in
            defer { entries = [:] }
            return entries
        }
        for entry in entries.values { entry.target?.close() }
    }
}

extension WebhookTarget {
    /// Answers a forwarded action. 503 where too many wait, else 502 where there is no answer (SPEC RM-3).
    func answer(_ request: ActionRequest, _ agent: Agent, _ reply: Reply, for action: WebhookAction) async throws {
        let message = WebhookRequest(request, agent, for: action)
        let upload = request.stream.map { WebhookUpload($0) }
        let answer: WebhookReply?
        do throws(WebhookFailure) {
            answer = try await self.forward(message, upload, reply)
        } catch {
            // What was wrong with the body of the request is its requester's to know.
            if let refusal = upload?.failure { throw refusal }
            throw error == .full ? ActionError.busy : ActionError(502, "WEBHOOK", ["id": .string(message.id)])
        }
        try await answer?.apply(to: reply, agent)
    }
}
