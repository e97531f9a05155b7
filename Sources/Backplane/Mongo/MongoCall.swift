import Synchronization

/// One caller waiting for one call: answered exactly once, by the thread that runs it or by its deadline.
final class MongoCall<Value: Sendable>: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Result<Value, MongoError>, Never>?
        var hasBegun = false
    }

    private let operation: String
    private let state: Mutex<State>

    init(operation: String, continuation: CheckedContinuation<Result<Value, MongoError>, Never>) {
        self.operation = operation
        self.state = Mutex(State(continuation: continuation))
    }

    /// - Returns: false when the deadline was first: then the call must not be made.
    func begin() -> Bool {
        self.state.withLock { state in
            state.hasBegun = true
            return state.continuation != nil
        }
    }

    func finish(_ result: Result<Value, MongoError>) {
        self.take().continuation?.resume(returning: result)
    }

    func expire() {
        let state = self.take()
        let error =
            state.hasBegun
            ? MongoError(.unknownOutcome, operation: self.operation, message: "no answer within the deadline")
            : MongoError(.unreachable, operation: self.operation, message: "no free thread within the deadline")
        state.continuation?.resume(returning: .failure(error))
    }

    private func take() -> State {
        self.state.withLock { state in
            defer { state.continuation = nil }
            return state
        }
    }
}
