/// A request with an idempotency key: under way, or answered.
package struct AnswerRecord: Sendable, Equatable {
    /// SHA-256 of who asks and the key, 32 bytes.
    package var id: [UInt8]
    /// SHA-256 of what is asked, 32 bytes: the same key for something else is a mistake.
    package var request: [UInt8]
    /// Random, 16 bytes: which of several attempts it is.
    package var attempt: [UInt8]
    /// While there is no answer: when the attempt is given up, in milliseconds since 1970.
    package var deadline: Int64
    /// The body that was answered with 200; nil while it is under way.
    package var answer: [UInt8]?
    /// When the record goes: milliseconds since 1970.
    package var expires: Int64

    package init(
        id: [UInt8], request: [UInt8], attempt: [UInt8], deadline: Int64, answer: [UInt8]? = nil, expires: Int64
    ) {
        self.id = id
        self.request = request
        self.attempt = attempt
        self.deadline = deadline
        self.answer = answer
        self.expires = expires
    }

    /// Whether another attempt may take its place.
    package func isOver(at now: Int64) -> Bool { self.answer == nil ? self.deadline <= now : self.expires <= now }
}
