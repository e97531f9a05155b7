import Crypto
import Logging
import Metrics
import NIOCore
import Routing

/// Requests that say which they are, so that one that is repeated is not carried out twice (`Idempotency-Key`): over any node, as
/// the answers are where the state is.
struct IdempotencyKeys: Sendable {
    /// What became of a request with a key; a label of the metric.
    private enum Outcome: String, CaseIterable {
        case first, replayed, mismatch, underWay = "under_way", failed
    }

    /// UTF-8 bytes of a key.
    static let longest = 255
    /// Milliseconds after which a request that has no answer may be carried out by somebody else: its node has died.
    static let patience: Int64 = 60_000
    /// Bytes of an answer; a larger one is not kept, so that its request cannot be repeated.
    static let largest = 4 << 20

    private let store: any AnswerStore
    private let window: Int64
    private let now: @Sendable () -> Int64
    private let logger: Logger
    private let outcomes: [Outcome: Counter] = Dictionary(
        uniqueKeysWithValues: Outcome.allCases.map {
            (
                $0,
                Counter(label: "submergence_control_idempotent_requests_total", dimensions: [("outcome", $0.rawValue)])
            )
        })

    /// - Parameters:
    ///   - window: seconds that an answer is kept.
    ///   - now: milliseconds since 1970.
    init(
        store: any AnswerStore, window: Double, logger: Logger,
        now: @escaping @Sendable () -> Int64 = { SystemClusterClock().wallTime() }
    ) {
        self.store = store
        self.window = Int64(window * 1_000)
        self.logger = logger
        self.now = now
    }

    /// Carries a request out, unless it has been.
    /// - Parameters:
    ///   - key: as it was sent.
    ///   - who: the control key's name; keys of different ones have nothing to do with each other.
    ///   - path: of the request; it and the body have to be the same.
    /// - Throws: 400 for a key that is none, 409 while it is carried out, 422 for another body; what `perform` throws, and then it may
    ///   be repeated.
    func answer(
        _ key: String, who: String, path: String, body: JSONValue, _ perform: () async throws -> JSONValue
    ) async throws -> JSONValue {
        guard (1...Self.longest).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ActionError(
                400, "IDEMPOTENCY_KEY", ["message": "Idempotency-Key takes 1 to 255 printable ASCII characters"])
        }
        var generator = SystemRandomNumberGenerator()
        let now = self.now()
        let record = AnswerRecord(
            id: Self.hash([who, key]), request: Self.hash([path, Self.text(body)]),
            attempt: (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) },
            deadline: now + Self.patience, expires: now + max(Self.patience, self.window))
        if let found = try await self.store.begin(record) { return try self.known(found, record) }
        let answer: JSONValue
        do {
            answer = try await perform()
        } catch {
            self.count(.failed)
            await self.settle { () throws(StoreError) in
                try await self.store.abandon(record.id, attempt: record.attempt)
            }
            throw error
        }
        self.count(.first)
        let bytes = Array(Self.text(answer).utf8)
        if bytes.count <= Self.largest {
            await self.settle { () throws(StoreError) in
                _ = try await self.store.finish(
                    record.id, attempt: record.attempt, answer: bytes, expires: self.now() + self.window)
            }
        }
        return answer
    }

    private func known(_ found: AnswerRecord, _ record: AnswerRecord) throws -> JSONValue {
        guard found.request == record.request else {
            self.count(.mismatch)
            throw ActionError(
                422, "IDEMPOTENCY_KEY", ["message": "this Idempotency-Key was used for another request: take a new one"]
            )
        }
        guard let answer = found.answer else {
            self.count(.underWay)
            throw ActionError(
                409, "UNDER_WAY",
                ["message": "the first request with this Idempotency-Key has no answer yet: ask again"])
        }
        self.count(.replayed)
        return try JSONValue(text: ByteBuffer(bytes: answer))
    }

    /// The request has been answered, whatever becomes of this: at worst it cannot be repeated for a minute.
    private func settle(_ body: () async throws(StoreError) -> Void) async {
        do throws(StoreError) {
            try await body()
        } catch {
            self.logger.warning("an answer could not be kept for its Idempotency-Key", metadata: ["error": "\(error)"])
        }
    }

    private func count(_ outcome: Outcome) { self.outcomes[outcome]?.increment() }

    private static func hash(_ parts: [String]) -> [UInt8] {
        var hash = SHA256()
        for part in parts {
            let bytes = Array(part.utf8)
            // With its length, so that two parts cannot be cut in another way.
            hash.update(data: Array("\(bytes.count):".utf8))
            hash.update(data: bytes)
        }
        return Array(hash.finalize())
    }

    private static func text(_ value: JSONValue) -> String {
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        return String(buffer: buffer)
    }
}
