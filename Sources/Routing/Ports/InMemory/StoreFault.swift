/// What tests do to a call of an in-memory store.
package struct StoreFault: Sendable {
    /// Before the effect. May wait; an error means that nothing happens.
    package var before: @Sendable (_ operation: String) async -> StoreError?
    /// After the effect. May wait; an error hides what happened (an unknown outcome).
    package var after: @Sendable (_ operation: String) async -> StoreError?

    package init(
        before: @escaping @Sendable (String) async -> StoreError? = { _ in nil },
        after: @escaping @Sendable (String) async -> StoreError? = { _ in nil }
    ) {
        self.before = before
        self.after = after
    }

    func wrap<R>(_ operation: String, _ body: () throws(StoreError) -> R) async throws(StoreError) -> R {
        if let error = await self.before(operation) { throw error }
        let result = try body()
        if let error = await self.after(operation) { throw error }
        return result
    }
}
