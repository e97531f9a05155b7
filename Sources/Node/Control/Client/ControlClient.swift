internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1

/// Asks a node's control API: the command line's side of it.
package struct ControlClient: Sendable {
    /// Why there is no answer to show.
    package enum Failure: Error, Sendable, CustomStringConvertible {
        /// Nobody answers there.
        case unreachable(url: String, why: String)
        /// The answer is an error, or none of ours.
        case refused(status: Int, body: String)

        package var description: String {
            switch self {
            case .unreachable(let url, let why):
                "no node answers at \(url): \(why). Is it running, and is that its control listener?"
            case .refused(let status, let body): Self.words(status, body)
            }
        }

        private static func words(_ status: Int, _ body: String) -> String {
            let advice =
                switch status {
                case 401: " Name a control key with --key-file or SUBMERGENCE_KEY."
                case 403: " The key may not do that: see `submergence keys list`."
                case 412: " Somebody else has changed it: get it again, and change that."
                case 404: " Is that the control listener, and of this version?"
                case 503: " Try again, or ask another node."
                default: ""
                }
            return "the node answers \(status): \(body.trimmingCharacters(in: .whitespacesAndNewlines)).\(advice)"
        }
    }

    private let base: String
    private let key: String?

    /// - Parameters:
    ///   - base: such as `http://127.0.0.1:9080`.
    ///   - key: the secret of a control key; nil in development mode.
    package init(base: String, key: String?) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.key = key
    }

    private static let timeout: TimeAmount = .seconds(40)
    private static let largestAnswer = 16 << 20

    /// - Parameters:
    ///   - body: nil: GET.
    ///   - method: of a request with a body.
    /// - Throws: ``Failure``.
    package func ask(
        _ path: String, _ body: JSONValue? = nil, method: ActionMethod = .post
    ) async throws(Failure) -> JSONValue {
        var request = HTTPClientRequest(url: self.base + path)
        request.headers.add(name: "Accept", value: "application/json")
        if let key = self.key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        if let body {
            var text = ByteBuffer()
            body.write(to: &text)
            request.method = HTTPMethod(rawValue: method.rawValue)
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(text)
        }
        let (status, answer) = try await self.answer(to: request)
        guard status == 200 else { throw .refused(status: status, body: String(buffer: answer)) }
        do {
            return try JSONValue(text: answer)
        } catch {
            throw .refused(status: status, body: "what is no JSON (\(error))")
        }
    }

    private func answer(to request: HTTPClientRequest) async throws(Failure) -> (status: Int, body: ByteBuffer) {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        // Whoever asks wants to know now that nobody is there.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<(Int, ByteBuffer), any Error>
        do {
            let response = try await client.execute(request, timeout: Self.timeout)
            result = .success((Int(response.status.code), try await response.body.collect(upTo: Self.largestAnswer)))
        } catch {
            result = .failure(error)
        }
        do {
            try await client.shutdown()
            return try result.get()
        } catch {
            throw .unreachable(url: self.base, why: "\(error)")
        }
    }
}
