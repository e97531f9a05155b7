import NIOCore

/// What an action answered that the application ran itself (SPEC AC-14).
public struct ActionResult: Sendable {
    public let status: Int
    public let content: JSONValue
    /// Each its name and arguments.
    public let events: [[JSONValue]]
    /// Where it redirects to.
    public let location: String?
    /// A page, where the action has one.
    public let html: String?
    /// The bytes, where the answer is a stream. Whoever does not read it to its end must ``Bytes/cancel()`` it.
    public let stream: Bytes?

    init(_ answer: ActionAnswer) {
        self.status = answer.status
        self.content = answer.content
        self.events = answer.events.compactMap { if case .array(let elements) = $0 { elements } else { nil } }
        self.location = answer.location
        self.html = answer.html
        self.stream = answer.stream.map { Bytes(stream: $0) }
    }

    /// The bytes of a streamed answer, in pieces of any size. To be iterated once, by one task.
    public struct Bytes: AsyncSequence, AsyncIteratorProtocol, Sendable {
        fileprivate let stream: AnswerStream

        /// In all; nil where the action does not say.
        public var length: Int? { self.stream.length }
        /// A media type.
        public var type: String? { self.stream.type }

        public func makeAsyncIterator() -> Bytes { self }

        /// Throws when the source has failed.
        public mutating func next() async throws -> [UInt8]? {
            try await self.stream.next().map { Array($0.readableBytesView) }
        }

        /// Nobody reads on. To be called at most once.
        public func cancel() { self.stream.cancel() }
    }
}
