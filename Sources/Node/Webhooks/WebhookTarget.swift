internal import AsyncHTTPClient
internal import Logging
internal import Metrics
internal import NIOCore
internal import NIOHTTP1
internal import Routing
internal import Synchronization

/// Where one domain's webhooks go. Asks it within its limits: so many requests at one time, so many waiting, none while it
/// fails all the time (SPEC RM-2, RM-3).
final class WebhookTarget: Sendable {
    /// What targets share.
    struct Environment: Sendable {
        let policy: OutboundPolicy
        let metrics: WebhookMetrics
        /// Milliseconds of a clock that only runs forward.
        let now: @Sendable () -> Int64
        /// Server time, milliseconds since 1970.
        let wallTime: @Sendable () -> Int64
        let submit: @Sendable (@escaping @Sendable () async -> Void) -> Bool
        /// Share of requests that begin a trace, where they came with none.
        let traceRate: Double
        let logger: Logger
    }

    let domain: String
    let options: WebhookOptions
    private let address: OutboundAddress
    let environment: Environment
    private let client: OutboundClient
    /// For actions: an answer that is a stream may pause for as long as whoever reads it.
    let streams: OutboundClient
    private let gate: TurnGate
    private let breaker: Mutex<TargetBreaker>
    private let secrets: Mutex<[WebhookSecret]>
    private let metrics: WebhookMetrics.OfTarget
    /// Deliveries of presence that wait for an open breaker.
    private let held = Mutex(0)

    /// Of presence, at one time, for an open breaker: handlers of other domains must run meanwhile (``EmissionOptions``).
    private static let mostHeld = 16

    init(
        domain: String, _ options: WebhookOptions, at address: OutboundAddress, signedBy secrets: [WebhookSecret],
        _ environment: Environment
    ) {
        self.domain = domain
        self.options = options
        self.address = address
        self.environment = environment
        func client(limitsReads: Bool) -> OutboundClient {
            OutboundClient(
                address, environment.policy, timeout: .milliseconds(Int64(options.timeout * 1_000)),
                limitsReads: limitsReads, connections: options.concurrency, now: environment.now,
                submit: environment.submit)
        }
        self.client = client(limitsReads: true)
        self.streams = client(limitsReads: false)
        self.gate = TurnGate(limit: options.concurrency, waitingLimit: options.waiting)
        self.breaker = Mutex(
            TargetBreaker(threshold: options.breakerThreshold, pause: Int64(options.breakerPause * 1_000)))
        self.secrets = Mutex(secrets)
        self.metrics = WebhookMetrics.OfTarget(domain: domain)
    }

    /// - Returns: whether they are others than before.
    func replaceSecrets(_ secrets: [WebhookSecret]) -> Bool {
        self.secrets.withLock { current in
            defer { current = secrets }
            return current != secrets
        }
    }

    func close() {
        self.client.close()
        self.streams.close()
    }

    /// For one request, or one piece of an answer.
    var time: Duration { .milliseconds(Int64(self.options.timeout * 1_000)) }

    // MARK: One request

    /// Asks the target, and counts how it went.
    /// - Parameter limit: for everything, as ``WebhookOptions/timeout``, whichever is shorter.
    /// - Parameter read: makes something of the body of its answer.
    func ask<Value: Sendable>(
        _ request: WebhookRequest, attempt: Int = 1, within limit: Duration? = nil,
        _ read: (ByteBuffer) throws(WebhookFailure) -> Value
    ) async throws(WebhookFailure) -> Value {
        let start = self.environment.now()
        let span = request.span(sampling: self.environment.traceRate)
        let body = await TimeLimit.run(min(self.time, limit ?? self.time)) { () throws(WebhookFailure) in
            try await self.exchange(request, attempt, span)
        }
        let result: Result<Value, WebhookFailure>
        let failure: WebhookFailure?
        do throws(WebhookFailure) {
            result = .success(try read(try body.get()))
            failure = nil
        } catch {
            (result, failure) = (.failure(error), error)
        }
        self.report(request, attempt: attempt, span, failure, since: start)
        return try result.get()
    }

    /// Counts and logs what has ended.
    func report(
        _ request: WebhookRequest, attempt: Int, _ span: TraceSpan?, _ failure: WebhookFailure?, since start: Int64
    ) {
        self.environment.metrics.ended(request.kind, failure, after: self.environment.now() - start)
        self.sample()
        guard let failure else { return }
        var metadata = span.map { Logger.Metadata($0) } ?? [:]
        metadata["domain"] = "\(self.domain)"
        metadata["kind"] = "\(request.kind.rawValue)"
        metadata["id"] = "\(request.id)"
        metadata["attempt"] = "\(attempt)"
        metadata["error"] = "\(failure)"
        self.environment.logger.warning("webhook failed", metadata: metadata)
    }

    /// Waits for the turn of a request.
    func admit(_ passage: WebhookPassage) async throws(WebhookFailure) -> TargetBreaker.Admission {
        // Whoever would wait for nothing is told at once.
        if case .refused(let until) = self.breaker.withLock({ $0.outlook(at: self.environment.now()) }) {
            throw .open(until: until)
        }
        let outcome = await self.gate.enter()
        switch outcome {
        case .turn: break
        case .full: throw .full
        case .cancelled: throw .timeout
        }
        self.sample()
        passage.hold { self.gate.leave() }
        let now = self.environment.now()
        let admission = self.breaker.withLock { $0.admit(at: now) }
        if case .refused(let until) = admission { throw .open(until: until) }
        return admission
    }

    private func exchange(
        _ request: WebhookRequest, _ attempt: Int, _ span: TraceSpan?
    ) async throws(WebhookFailure) -> ByteBuffer {
        let passage = WebhookPassage()
        defer { passage.end() }
        let admission = try await self.admit(passage)
        do {
            let body = try await self.send(request, attempt, span)
            self.ended(admission, .succeeded)
            return body
        } catch {
            self.ended(admission, error.ending)
            throw error
        }
    }

    func ended(_ admission: TargetBreaker.Admission, _ ending: TargetBreaker.Ending) {
        let now = self.environment.now()
        let (hasOpened, state) = self.breaker.withLock { breaker in
            let hasOpened = breaker.ended(admission, ending, at: now)
            return (hasOpened, breaker.state)
        }
        self.metrics.note(state)
        guard hasOpened else { return }
        self.metrics.opened.increment()
        self.environment.logger.error(
            "the target of webhooks has failed too often and is left alone for a while",
            metadata: ["domain": "\(self.domain)", "pause": "\(self.options.breakerPause)"])
    }

    /// - Parameter upload: its body; nil: what the request says.
    func message(
        _ request: WebhookRequest, attempt: Int, _ span: TraceSpan?, _ upload: WebhookUpload? = nil
    ) throws(WebhookFailure) -> HTTPClientRequest {
        let secrets = self.secrets.withLock(\.self)
        guard !secrets.isEmpty else { throw .secret }
        let fields = request.fields(attempt: attempt, timestamp: self.environment.wallTime() / 1_000)
        var message = HTTPClientRequest(url: self.address.url)
        message.method = .POST
        for field in fields { message.headers.add(name: field.name, value: field.value) }
        let digest: String
        if let upload {
            digest = WebhookSignature.streamed
            message.body = upload.body
        } else {
            var body = ByteBuffer()
            request.body.write(to: &body)
            digest = WebhookSignature.digest(body)
            message.body = .bytes(body)
        }
        message.headers.add(
            name: WebhookSignature.name, value: WebhookSignature.value(fields, digest: digest, by: secrets))
        message.headers.add(name: "content-type", value: upload?.contentType ?? "application/json")
        message.headers.add(name: "accept", value: "application/json")
        message.headers.add(name: "user-agent", value: "submergence")
        if let span { message.headers.add(name: "traceparent", value: span.own.text) }
        if let state = request.trace?.state { message.headers.add(name: "tracestate", value: state.text) }
        return message
    }

    private func send(
        _ request: WebhookRequest, _ attempt: Int, _ span: TraceSpan?
    ) async throws(WebhookFailure) -> ByteBuffer {
        let message = try self.message(request, attempt: attempt, span)
        let binding = try await self.client.begin()
        defer { self.client.end(binding) }
        do {
            let response = try await binding.client.execute(
                message, timeout: .milliseconds(Int64(self.options.timeout * 1_000)))
            let answer = try await self.collect(response.body)
            try Self.check(response.status)
            return answer
        } catch let failure as WebhookFailure {
            throw failure
        } catch {
            throw Self.failure(error)
        }
    }

    func collect(_ body: HTTPClientResponse.Body) async throws -> ByteBuffer {
        do {
            return try await body.collect(upTo: self.options.maxAnswerLength)
        } catch is NIOTooManyBytesError {
            throw WebhookFailure.length
        }
    }

    /// Redirects are not followed: they would lead past the check of the address.
    static func check(_ status: HTTPResponseStatus) throws(WebhookFailure) {
        guard status == .ok || status == .noContent else { throw .status(Int(status.code)) }
    }

    static func failure(_ error: any Error) -> WebhookFailure {
        if error is CancellationError { return .timeout }
        guard let error = error as? HTTPClientError else { return .transport("\(error)") }
        switch error {
        case .cancelled, .deadlineExceeded, .readTimeout, .connectTimeout, .getConnectionFromPoolTimeout:
            return .timeout
        default: return .transport("\(error)")
        }
    }

    /// Brings the gauges up to date.
    func sample() {
        let counts = self.gate.counts
        self.metrics.waiting.record(counts.waiting)
        self.metrics.running.record(counts.running)
    }

    // MARK: Presence

    /// Tells the target of a change, and repeats it where that fails.
    ///
    /// - Parameter deadline: milliseconds of ``Environment/now``: when the time of a handler is up (SPEC LC-3).
    func deliver(_ presence: Presence, until deadline: Int64) async {
        let request = WebhookRequest(presence)
        var delivery = PresenceDelivery(retries: self.options.presenceRetries, deadline: deadline)
        var isHeld = false
        defer { if isHeld { self.held.withLock { $0 -= 1 } } }
        while !Task.isCancelled {
            let failure: WebhookFailure
            do {
                return try await self.ask(
                    request, attempt: delivery.attempt,
                    within: .milliseconds(max(1, deadline - self.environment.now()))
                ) { _ in }
            } catch {
                failure = error
            }
            // The node stops: the change is not acknowledged, and another node repeats it.
            guard !Task.isCancelled else { return }
            if case .open = failure, !isHeld {
                isHeld = self.held.withLock { held in
                    guard held < Self.mostHeld else { return false }
                    held += 1
                    return true
                }
                guard isHeld else { return self.lose(presence) }
            }
            let now = self.environment.now()
            switch delivery.failed(failure, at: now, jitter: Double.random(in: 0...1)) {
            case .giveUp: return self.lose(presence)
            case .attempt(let time):
                if case .open = failure {} else { self.environment.metrics.retries.increment() }
                do { try await Task.sleep(for: .milliseconds(time - now)) } catch { return }
            }
        }
    }

    private func lose(_ presence: Presence) {
        self.metrics.lost.increment()
        self.environment.logger.error(
            "presence was not delivered",
            metadata: [
                "domain": "\(self.domain)", "change": "\(presence.change.rawValue)",
                "sequence": "\(presence.sequence)",
            ])
    }
}
