/// Where configurations of domains are kept (SPEC RM-4). All writes are majority; reads see what a majority has, so
/// that no node applies what an election takes back.
package protocol DomainStore: Sendable {
    /// - Returns: nil where none is stored.
    func find(_ domain: String) async throws(StoreError) -> DomainRecord?

    /// The versions of those of the domains that have a configuration.
    func versions(of domains: [String]) async throws(StoreError) -> [String: Int64]

    /// Stores a configuration in place of the one of the version before it; version 1 in place of none.
    /// - Returns: nil where it is stored now; else the version that is there, 0 for none.
    func replace(by record: DomainRecord) async throws(StoreError) -> Int64?
}
