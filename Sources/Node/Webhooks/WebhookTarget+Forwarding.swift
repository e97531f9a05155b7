internal import AsyncHTTPClient
internal import NIOCore
internal import Routing
internal import Synchronization

/// Forwarded actions: what is streamed goes on as it comes, both ways, no faster than the other side takes it (SPEC
/// RM-3).
extension WebhookTarget {
    private enum Answer: Sendable {
        case document(ByteBuffer)
        case stream(WebhookStreamHead, HTTPClientResponse.Body)
    }

    /// Forwards an action. An answer that is a stream has been given by then, and has ended.
    ///
    /// - Parameter upload: a body that is not in the request. The target's time begins when it has all of it; until
    ///   then it is the action's that counts.
    /// - Returns: nil where the answer was a stream.
    /// - Throws: what made it fail while no answer was out.
    func forward(
        _ request: WebhookRequest, _ upload: WebhookUpload?, _ reply: Reply
    ) async throws(WebhookFailure) -> WebhookReply? {
        let start = self.environment.now()
        let span = request.span(sampling: self.environment.traceRate)
        let passage = WebhookPassage()
        let answer = await TimeLimit.run(self.time, after: upload?.isOver) { () throws(WebhookFailure) in
            try await self.begin(request, span, upload, passage)
        }
        let result: Result<WebhookReply?, WebhookFailure>
        var failure: WebhookFailure?
        switch answer {
        case .failure(let error): (result, failure) = (.failure(error), error)
        case .success(.document(let body)):
            do throws(WebhookFailure) {
                result = .success(try WebhookReply(body))
            } catch {
                (result, failure) = (.failure(error), error)
            }
        case .success(.stream(let head, let body)):
            failure = await self.pass(head, body, to: reply)
            result = .success(nil)
        }
        passage.end()
        self.report(request, attempt: 1, span, failure, since: start)
        return try result.get()
    }

    private func begin(
        _ request: WebhookRequest, _ span: TraceSpan?, _ upload: WebhookUpload?, _ passage: WebhookPassage
    ) async throws(WebhookFailure) -> Answer {
        let admission = try await self.admit(passage)
        do {
            let answer = try await self.open(request, span, upload, passage)
            self.ended(admission, .succeeded)
            return answer
        } catch {
            // What the requester did says nothing about the target.
            guard upload?.failure == nil else {
                self.ended(admission, .abandoned)
                throw .cancelled
            }
            self.ended(admission, error.ending)
            throw error
        }
    }

    private func open(
        _ request: WebhookRequest, _ span: TraceSpan?, _ upload: WebhookUpload?, _ passage: WebhookPassage
    ) async throws(WebhookFailure) -> Answer {
        let message = try self.message(request, attempt: 1, span, upload)
        let streams = self.streams
        let binding = try await streams.begin()
        passage.hold { streams.end(binding) }
        do {
            // Its time is kept by whoever calls this.
            let response = try await binding.client.execute(message, timeout: .hours(24))
            try Self.check(response.status)
            if let head = try WebhookStreamHead(response.headers) { return .stream(head, response.body) }
            return .document(try await self.collect(response.body))
        } catch let failure as WebhookFailure {
            throw failure
        } catch {
            throw Self.failure(error)
        }
    }

    /// Gives a target's stream to whoever has asked, and returns when it has ended. The target has its time for each
    /// piece that it is asked for; a requester that is slow has theirs.
    /// - Returns: what went wrong at the target: the requester's answer was cut off then.
    private func pass(
        _ head: WebhookStreamHead, _ body: HTTPClientResponse.Body, to reply: Reply
    ) async -> WebhookFailure? {
        let source = PieceSource(body.makeAsyncIterator())
        defer { source.cancel() }
        let failed = Mutex<WebhookFailure?>(nil)
        let time = self.time
        reply.stream(head.status, length: head.length, type: head.type) {
            do throws(WebhookFailure) {
                return try await TimeLimit.run(time) { () async throws(WebhookFailure) -> ByteBuffer? in
                    do {
                        return try await source.next()
                    } catch {
                        throw Self.failure(error)
                    }
                }.get()
            } catch {
                // Nobody wants more of it.
                guard !Task.isCancelled else { throw CancellationError() }
                failed.withLock { $0 = error }
                throw error
            }
        }
        // The action's time was up, and its answer is another one.
        guard reply.isStreaming else { return .cancelled }
        await reply.streamEnd.wait()
        let failure = failed.withLock(\.self)
        // It had been asked as any other, and is counted as such.
        if let failure { self.ended(.pass, failure.ending) }
        return failure
    }
}
