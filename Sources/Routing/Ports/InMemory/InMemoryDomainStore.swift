internal import Synchronization

/// Configurations of domains in this process: for one node without MongoDB, and for tests. There are no more than there
/// are domains.
package final class InMemoryDomainStore: DomainStore {
    private let records = Mutex<[String: DomainRecord]>([:])

    package init() {}

    package func find(_ domain: String) async throws(StoreError) -> DomainRecord? {
        self.records.withLock { $0[domain] }
    }

    package func versions(of domains: [String]) async throws(StoreError) -> [String: Int64] {
        self.records.withLock { records in
            domains.reduce(into: [:]) { $0[$1] = records[$1]?.version }
        }
    }

    package func replace(by record: DomainRecord) async throws(StoreError) -> Int64? {
        self.records.withLock { records in
            let present = records[record.domain]?.version ?? 0
            guard present == record.version - 1 else { return present }
            records[record.domain] = record
            return nil
        }
    }
}
