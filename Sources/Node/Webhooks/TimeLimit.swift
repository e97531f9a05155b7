/// Work that has a time.
enum TimeLimit {
    private enum First<Value: Sendable>: Sendable {
        case done(Result<Value, WebhookFailure>)
        case late
    }

    /// Runs `work`; once its time is up it is cancelled, and must then end soon.
    /// - Parameter start: when its time begins; nil: at once.
    static func run<Value: Sendable>(
        _ time: Duration, after start: OneTimeSignal? = nil,
        _ work: @escaping @Sendable () async throws(WebhookFailure) -> Value
    ) async -> Result<Value, WebhookFailure> {
        await withTaskGroup(of: First<Value>.self) { group in
            group.addTask {
                do throws(WebhookFailure) {
                    return .done(.success(try await work()))
                } catch {
                    return .done(.failure(error))
                }
            }
            group.addTask {
                if let start { await start.wait() }
                do { try await Task.sleep(for: time) } catch {
                    // The work is done, or all is being ended.
                }
                return .late
            }
            var isLate = false
            while let first = await group.next() {
                switch first {
                case .late:
                    isLate = true
                    group.cancelAll()
                case .done(let result):
                    group.cancelAll()
                    // What came late may be half of it.
                    return isLate ? .failure(.timeout) : result
                }
            }
            preconditionFailure("the work returns")
        }
    }
}
