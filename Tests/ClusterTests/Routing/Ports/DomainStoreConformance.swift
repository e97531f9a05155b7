import Routing
import Testing

/// What configurations of domains rely on (SPEC RM-4). Domains are new in every run, so a database may be shared.
enum DomainStoreConformance {
    static let checks: [ConformanceCheck<any DomainStore>] = [
        ConformanceCheck("RM-4: what is stored is found as it was, and its version beside others'") {
            store async throws in
            let (first, second, none) = (Self.domain(), Self.domain(), Self.domain())
            #expect(try await store.find(first) == nil)
            #expect(try await store.versions(of: [first, none]) == [:])
            let record = Self.record(first, 1)
            #expect(try await store.replace(by: record) == nil)
            #expect(try await store.find(first) == record)
            #expect(try await store.replace(by: Self.record(second, 1)) == nil)
            let next = Self.record(second, 2)
            #expect(try await store.replace(by: next) == nil)
            #expect(try await store.find(second) == next)
            #expect(try await store.versions(of: [first, second, none]) == [first: 1, second: 2])
        },
        ConformanceCheck("RM-4: a version that is not the present one replaces nothing, and is told which is") {
            store async throws in
            let domain = Self.domain()
            #expect(try await store.replace(by: Self.record(domain, 2)) == 0)
            #expect(try await store.find(domain) == nil)
            let record = Self.record(domain, 1)
            #expect(try await store.replace(by: record) == nil)
            for stale in [1, 3, Int64.max] {
                #expect(try await store.replace(by: Self.record(domain, stale)) == 1)
            }
            #expect(try await store.find(domain) == record)
        },
        ConformanceCheck("RM-4: of all who replace the same version at once one does, and the others are told") {
            store async throws in
            let domain = Self.domain()
            for version in Int64(1)...3 {
                let outcomes = try await withThrowingTaskGroup(of: Int64?.self) { group in
                    for _ in 0..<8 {
                        group.addTask { try await store.replace(by: Self.record(domain, version)) }
                    }
                    return try await group.reduce(into: [Int64?]()) { $0.append($1) }
                }
                #expect(outcomes.count { $0 == nil } == 1)
                #expect(outcomes.count { $0 == version } == 7)
            }
        },
    ]

    private static func record(_ domain: String, _ version: Int64) -> DomainRecord {
        DomainRecord(
            domain: domain, version: version, document: Array("{\"n\":\(version),\"é\":\"\\u0000\"}".utf8),
            author: "deploy", changed: SystemClusterClock().wallTime())
    }

    private static func domain() -> String { "\(String(UInt64.random(in: .min ... .max), radix: 36)).example" }
}
