/// Where route documents are kept (SPEC §2 "Routes"). All calls are batches; group commit is the caller's
/// (``RouteCommitter``). No call outlives its deadline (SPEC ND-14): a passed one is `unknownOutcome`.
package protocol RouteStore: Sendable {
    /// How many shards keys fall on; queues are per shard, so that a hung one stalls its own users only (ND-14).
    var shardCount: Int { get }

    /// What operators call the shards, in their order.
    var shardNames: [String] { get }

    /// The shard of a key, below ``shardCount``. A stale answer costs speed, never correctness.
    func shard(of key: RouteKey) -> Int

    /// Reads from the primary. Keys without a document are absent from the answer.
    /// - Parameter keys: of one shard; at most 1,000.
    func read(_ keys: [RouteKey], shard: Int) async throws(StoreError) -> [RouteKey: RouteDocument]

    /// One unordered round of compare-and-set writes, majority and journaled.
    /// - Parameter writes: of one shard, at most one per key, at most 1,000.
    /// - Returns: one outcome per write, in their order. Throws only when the outcome of *all* is unknown or none was sent.
    func write(_ writes: [RouteWrite], shard: Int) async throws(StoreError) -> [RouteWriteOutcome]

    /// Keys of documents with a live connection on, or an outbox entry owned by, the node (`live.n`, `out.n`), for reaping.
    /// Reads every shard.
    func keys(of node: NodeID, limit: Int) async throws(StoreError) -> [RouteKey]

    /// Keys of documents whose grace deadline is before `deadline` (milliseconds of the primary's clock; SPEC LC-8). A shard
    /// that does not answer is left out: asked again soon.
    func keys(dueBefore deadline: Int64, limit: Int) async throws(StoreError) -> [RouteKey]
}

extension RouteStore {
    package var shardNames: [String] { (0..<self.shardCount).map { "shard \($0)" } }
}

/// One compare-and-set: `document` replaces the stored one if that still has `expectedVersion`.
package struct RouteWrite: Sendable, Equatable {
    /// 0: there must be no stored document (an upsert, SPEC ND-1).
    package var expectedVersion: Int64
    /// The document as read; a store writes only what differs from it (SPEC LC-1).
    package var old: RouteDocument
    package var new: RouteDocument

    package init(old: RouteDocument, new: RouteDocument) {
        self.expectedVersion = old.version
        self.old = old
        self.new = new
    }
}

package enum RouteWriteOutcome: Sendable, Equatable {
    case committed
    /// Somebody else wrote first; read again.
    case conflict
    /// This one was refused for a reason of its own.
    case failed(StoreError)
}
