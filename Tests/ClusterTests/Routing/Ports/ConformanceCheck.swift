import Testing

/// One thing that every implementation of a port must do. Suites run all of them on their own implementation:
/// `@Test(arguments: RouteStoreConformance.checks)`, and in the test `try await check.run(store)`.
struct ConformanceCheck<Subject>: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (Subject) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (Subject) async throws -> Void) {
        self.testDescription = name
        self.run = run
    }
}
