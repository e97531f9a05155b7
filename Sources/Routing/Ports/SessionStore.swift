/// Where sessions are kept (SPEC §3). All writes are majority; reads are from the primary.
package protocol SessionStore: Sendable {
    /// - Returns: nil for an unknown hash. The caller checks the domain (ID-6) and the validity.
    func find(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord?

    /// Several at once, grouped per shard; unknown ones are absent.
    func find(_ hashes: [[UInt8]]) async throws(StoreError) -> [SessionRecord]

    /// As ``find(_:)-([UInt8])``, but never what a deposed primary still believes: after a majority write that returned,
    /// this shows it (ID-9). Slower.
    func findLatest(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord?

    /// Inserting a record that is there already (same hash) is success and changes nothing (ID-9).
    func insert(_ record: SessionRecord) async throws(StoreError)

    /// Marks one record invalid.
    func invalidate(_ hash: [UInt8], reason: String) async throws(StoreError)

    /// Marks every valid record of the user, or of one client of it, invalid: one pass over all shards (ID-13).
    /// - Returns: how many the pass changed; the caller repeats until it is 0.
    func invalidateAll(domain: String, user: String, client: String?, reason: String) async throws(StoreError) -> Int

    /// Marks the valid records of one chain of the (user, client) invalid: one pass over all shards (ID-9, ID-10).
    /// - Returns: how many the pass changed; the caller repeats until it is 0.
    func invalidateChain(
        _ chain: [UInt8], domain: String, user: String, client: String, reason: String
    ) async throws(StoreError) -> Int

    /// Raises `a` if it is older (ID-8).
    func touch(_ hash: [UInt8], activity: Int64) async throws(StoreError)

    /// ID-9, first step: stores nonce and key if there are none yet and the record is valid, in one compare-and-set.
    /// - Returns: the record as it is afterwards; nil if it is gone.
    func beginRenewal(_ hash: [UInt8], _ renewal: SessionRecord.Renewal) async throws(StoreError) -> SessionRecord?

    /// ID-9: notes that the successor was presented, and which one that is, unless that was noted before.
    func noteSuccessorPresented(_ hash: [UInt8], successor: [UInt8], at now: Int64) async throws(StoreError)
}
