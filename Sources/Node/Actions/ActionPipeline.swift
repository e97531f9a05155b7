package import Logging
internal import Metrics
internal import NIOCore
internal import Routing

/// The way of every action, over whatever transport: route, authenticate, authorise, limits, parse, validate, run, reply
/// (SPEC AC-1). One call, one answer.
package struct ActionPipeline: Sendable {
    /// The actions of a domain.
    private let router: @Sendable (_ domain: String) -> ActionRouter
    private let acceptsDomesticQuery: Bool
    private let submit: @Sendable (@escaping @Sendable () async -> Void) -> Bool
    private let sleep: @Sendable (Duration) async throws -> Void
    private let pages: PageRenderer
    private let metrics: ActionMetrics
    private let tally: ActionTally?
    private let logger: Logger

    /// - Parameters:
    ///   - router: gives the actions of a domain.
    ///   - templates: for actions that have none of their own, and for errors.
    ///   - submit: runs a handler in a bounded pool; false: it will not run, and the answer is 503.
    ///   - sleep: throws when the task is cancelled.
    package init(
        router: @escaping @Sendable (_ domain: String) -> ActionRouter, options: SessionOptions = SessionOptions(),
        templates: Templates? = nil,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }, logger: Logger
    ) {
        self.init(
            router: router, options: options, templates: templates, tally: nil, submit: submit, sleep: sleep,
            logger: logger)
    }

    /// - Parameter tally: counts them by domain; nil: nobody does.
    init(
        router: @escaping @Sendable (_ domain: String) -> ActionRouter, options: SessionOptions, templates: Templates?,
        tally: ActionTally?,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }, logger: Logger
    ) {
        self.tally = tally
        self.router = router
        self.acceptsDomesticQuery = options.acceptsDomesticQuery
        self.submit = submit
        self.sleep = sleep
        self.pages = PageRenderer(global: templates)
        self.metrics = ActionMetrics()
        self.logger = logger
    }

    /// The same actions in every domain.
    package init(
        router: ActionRouter, options: SessionOptions = SessionOptions(), templates: Templates? = nil,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }, logger: Logger
    ) {
        self.init(
            router: { _ in router }, options: options, templates: templates, submit: submit, sleep: sleep,
            logger: logger)
    }

    /// Never throws and never fails to answer: what goes wrong is an answer.
    package func run(_ call: ActionCall) async -> ActionAnswer {
        self.tally?.count(call.domain)
        var trace = ActionTrace(call, self.logger)
        var answer: ActionAnswer
        do {
            answer = try await self.answer(call, &trace)
        } catch {
            answer = self.answer(to: error, trace)
        }
        if let agent = trace.agent { answer.cookies = agent.cookies }
        if call.transport == .http, AcceptHeader.format(call.accept) == .html {
            self.pages.render(&answer, trace.action, trace.agent)
        }
        guard let stream = answer.stream else {
            trace.finish(answer)
            return answer
        }
        trace.measure(answer)
        answer.stream = self.watched(stream, of: answer, trace)
        return answer
    }

    /// The answer to what a transport refuses by itself: counted and logged as any other (SPEC AC-12, AC-13).
    package func refuse(_ call: ActionCall, with error: ActionError) -> ActionAnswer {
        let answer = ActionAnswer(error)
        ActionTrace(call, self.logger).finish(answer)
        return answer
    }

    private func answer(_ call: ActionCall, _ trace: inout ActionTrace) async throws -> ActionAnswer {
        let (path, queryText) = ActionTrace.split(call.target)
        guard path.hasPrefix("/") else { throw ActionError.badRequest }
        let router = self.router(call.domain)
        if call.method == .options {
            guard let (allow, content) = router.options(path) else { throw ActionError.notFound }
            return ActionAnswer(status: 200, content: content, allow: allow)
        }
        let action: Action
        let params: [String: String]
        switch router.match(call.method, path) {
        case .found(let found, let captures): (action, params) = (found, captures)
        case .badEscape: throw ActionError.badRequest
        case .notFound: throw ActionError.notFound
        case .notAllowed(let allow):
            return ActionAnswer(status: 405, content: ["error": "METHOD"], allow: allow)
        }
        trace.action = action
        guard var query = PercentEncoding.fields(queryText) else { throw ActionError.badRequest }
        query.merge(call.query) { $1 }
        let queryProof = query.removeValue(forKey: "_domestic")

        let agent = try await trace.measure("authenticate") {
            let agent = try await call.authenticate()
            // Only HTTP answers carry cookies; a socket's client is asked to come by HTTP (ID-9, ID-16).
            if call.transport == .http { await agent.renewIfDue() }
            return agent
        }
        trace.agent = agent
        // A form may carry the proof, which is known only once it is read; it counts before that of the query (ID-4).
        let type = ActionBodyParser.type(call.contentType)
        let mayProve = !call.hasProof && type.isForm && !action.options.neverBuffer && !call.body.isNone
        if !call.hasProof, !mayProve, self.acceptsDomesticQuery, let queryProof { agent.proveDomestic(queryProof) }
        if let refusal = action.requirements.complaint(about: agent, deferring: mayProve ? .domestic : []) {
            throw refusal
        }
        let metrics = self.metrics
        var parsed = try await trace.measure("body") {
            try await ActionBodyParser.body(of: call, type: type, options: action.options) { metrics.hit($0) }
        }
        if case .form(var fields) = parsed.body {
            let proof = fields.removeValue(forKey: "_domestic") ?? (self.acceptsDomesticQuery ? queryProof : nil)
            if mayProve, let proof { agent.proveDomestic(proof) }
            parsed.body = .form(fields)
        }
        if let refusal = action.requirements.complaint(about: agent) { throw refusal }
        var request = ActionRequest(
            transport: call.transport, method: call.method, domain: call.domain, path: path, params: params,
            query: query, body: parsed.body, contentType: type.name, format: AcceptHeader.format(call.accept),
            address: call.address)
        request.idempotencyKey = call.idempotencyKey
        request.trace = call.trace
        request.ifMatch = call.ifMatch
        request.files = parsed.files
        request.stream = parsed.stream
        request.checkedQuery = try action.schemas?.check(query: query)
        request.checkedBody = try action.schemas?.check(body: parsed.body)
        return try await self.run(action, request, agent, &trace)
    }

    /// Runs the handler in a task of the pool. The answer does not wait for a handler that has answered, or whose time
    /// is up: it goes on (cancelled, in the second case) on its own.
    private func run(
        _ action: Action, _ request: ActionRequest, _ agent: Agent, _ trace: inout ActionTrace
    ) async throws -> ActionAnswer {
        let logger = trace.logger
        let reply = Reply(logger: logger)
        trace.reply = reply
        let sleep = self.sleep
        let isAccepted = self.submit {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        try await action.handler(request, agent, reply)
                        reply.finish()
                    } catch {
                        if !reply.fail(error), !(error is CancellationError) {
                            logger.warning(
                                "action: thrown after its answer",
                                metadata: ["action": "\(action.name)", "error": "\(error)"])
                        }
                    }
                }
                group.addTask {
                    do { try await sleep(action.options.timeLimit) } catch { return }
                    if !reply.fail(ActionError.timeout), reply.isStreaming { await reply.streamEnd.wait() }
                }
                await group.next()
                group.cancelAll()
            }
        }
        guard isAccepted else { throw ActionError.busy }
        let outcome = try await trace.measure("run") { try await reply.answer.value.get() }
        if let failure = outcome.failure { throw ReplyFailure(description: "the reply: \(failure)") }
        var answer = ActionAnswer(
            status: outcome.status ?? 200, content: outcome.content, events: outcome.events,
            html: request.format == .html ? outcome.html : nil, location: outcome.location)
        answer.tag = outcome.tag
        answer.stream = outcome.stream
        return answer
    }

    /// Logs the action when its stream has ended, and under an opaque ID what cut it off.
    private func watched(_ stream: AnswerStream, of answer: ActionAnswer, _ trace: ActionTrace) -> AnswerStream {
        let (logger, metrics) = (trace.logger, self.metrics)
        return stream.watched { end, bytes in
            trace.reply?.streamEnd.fire()
            var metadata: Logger.Metadata = ["bytes": "\(bytes)"]
            switch end {
            case .complete: metadata["stream"] = "complete"
            case .cancelled: metadata["stream"] = "cancelled"
            case .failed(let error):
                let id = Base64URL.random128()
                metadata["stream"] = "failed"
                metadata["id"] = "\(id)"
                metrics.failedStreams.increment()
                logger.error(
                    "answer stream failed",
                    metadata: ["id": "\(id)", "action": "\(trace.action?.name ?? "")", "error": "\(error)"])
            }
            trace.log(answer, metadata)
        }
    }

    private func answer(to error: any Error, _ trace: ActionTrace) -> ActionAnswer {
        switch error {
        case let error as ActionError: return ActionAnswer(error)
        case let error as StoreError:
            trace.logger.warning("action: store", metadata: ["error": "\(error)"])
            return ActionAnswer(.unavailable)
        case let error as SessionError:
            switch error {
            case .identityMissing, .identityInvalid: return ActionAnswer(ActionError(400, "IDENTITY"))
            case .foreignOrigin: return ActionAnswer(ActionError(403, "FOREIGN"))
            case .unavailable:
                trace.logger.warning("action: session", metadata: ["error": "\(error)"])
                return ActionAnswer(.unavailable)
            case .detached: return self.opaque(error, trace)
            }
        default: return self.opaque(error, trace)
        }
    }

    /// Details go to the log only, under an ID that the requester can name (SPEC AC-12).
    private func opaque(_ error: any Error, _ trace: ActionTrace) -> ActionAnswer {
        let id = Base64URL.random128()
        trace.logger.error(
            "action failed", metadata: ["id": "\(id)", "action": "\(trace.action?.name ?? "")", "error": "\(error)"])
        return ActionAnswer(ActionError(500, "INTERNAL", ["id": .string(id)]))
    }
}

private struct ReplyFailure: Error, CustomStringConvertible {
    let description: String
}

extension ActionCall.Body {
    fileprivate var isNone: Bool { if case .none = self { true } else { false } }
}
