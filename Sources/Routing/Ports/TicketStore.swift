/// Where session tickets are kept (SPEC §2, ID-17). All writes are majority; reads are from the primary.
package protocol TicketStore: Sendable {
    func insert(_ ticket: TicketRecord) async throws(StoreError)

    /// - Returns: nil for one that is unknown, or gone. Used and expired ones may still be there: the caller looks.
    func find(_ id: [UInt8]) async throws(StoreError) -> TicketRecord?

    /// Marks a ticket as redeemed, once.
    /// - Returns: false where it was already, or is gone.
    func use(_ id: [UInt8]) async throws(StoreError) -> Bool
}
