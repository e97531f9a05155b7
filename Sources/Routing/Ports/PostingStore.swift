/// The outbox: documents of applications, and the leases of those who send them.
package protocol PostingStore: Sendable {
    /// The leases of all lanes, made where they are missing.
    func lanes() async throws(StoreError) -> [PostingLaneRecord]

    /// - Returns: the lease as it is now; nil where somebody else was first.
    func change(_ change: PostingLaneChange, by node: NodeID) async throws(StoreError) -> PostingLaneRecord?

    /// Committed postings that nobody has begun, in the order of their `_id`.
    /// - Parameter users: whose postings are left out.
    func new(lanes: [Int], limit: Int, except users: [String]) async throws(StoreError) -> [PostingReading]

    /// Postings that have a number and are not done, at most 10,000, in any order.
    func begun(lanes: [Int]) async throws(StoreError) -> [PostingReading]

    /// Gives numbers, durably.
    /// - Returns: those who have the number that was asked for, and those that are not there any more.
    func assign(
        _ assignments: [PostingAssignment]
    ) async throws(StoreError) -> (confirmed: Set<PostingID>, gone: Set<PostingID>)

    /// Marks postings as done. One that is not as expected is left alone.
    /// - Parameter now: milliseconds since 1970.
    /// - Returns: those that the server refused to mark.
    func settle(_ settlements: [PostingSettlement], now: Int64) async throws(StoreError) -> Set<PostingID>

    /// How much waits.
    func backlog() async throws(StoreError) -> PostingBacklog
}

/// How much an outbox holds that is not done.
package struct PostingBacklog: Sendable, Equatable {
    /// At most ``limit``.
    package var count: Int
    /// When the oldest was made, in milliseconds since 1970; nil where nothing waits, or it does not tell.
    package var oldest: Int64?

    package static let limit = 10_000

    package init(count: Int, oldest: Int64?) {
        self.count = count
        self.oldest = oldest
    }
}
