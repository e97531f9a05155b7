/// Where answers to requests with an idempotency key are kept, so that a request that is repeated is not carried out twice
/// (docs/control-api.md, "Idempotency keys"). All writes are majority; reads are from the primary.
package protocol AnswerStore: Sendable {
    /// Enters a request that is about to be carried out, or takes over one whose time is over and which has no answer.
    /// - Returns: nil where it was entered; else what is there.
    func begin(_ record: AnswerRecord) async throws(StoreError) -> AnswerRecord?

    /// Keeps the answer of an attempt, until `expires`.
    /// - Returns: false where another attempt has taken over, or the record is gone.
    func finish(
        _ id: [UInt8], attempt: [UInt8], answer: [UInt8], expires: Int64
    ) async throws(StoreError) -> Bool

    /// The attempt has done nothing: the request may be begun anew at once.
    func abandon(_ id: [UInt8], attempt: [UInt8]) async throws(StoreError)
}
