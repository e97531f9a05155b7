/// Where Links are kept (SPEC §2 "Links"). All writes are majority; reads are from the primary. No call outlives its deadline
/// (SPEC ND-14).
package protocol LinkStore: Sendable {
    func find(_ key: LinkKey) async throws(StoreError) -> LinkRecord?

    /// The same, but never an older state: a primary that was deposed and does not know it cannot answer.
    func findLatest(_ key: LinkKey) async throws(StoreError) -> LinkRecord?

    /// Carries out a compare-and-set.
    /// - Returns: false where something else is stored than it expects.
    func write(_ write: LinkWrite) async throws(StoreError) -> Bool

    /// Links that are being opened since before `deadline` (milliseconds of the primary's clock; SPEC LK-5). A shard that does
    /// not answer is left out: asked again soon.
    func opening(before deadline: Int64, limit: Int) async throws(StoreError) -> [LinkRecord]
}
