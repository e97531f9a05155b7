internal import Synchronization

/// A value that several tasks may offer and one awaits: the first offer wins, later ones are refused.
final class FirstAnswer<Value: Sendable>: Sendable {
    private enum State {
        case open(CheckedContinuation<Value, Never>?)
        case answered(Value)
    }

    private let state = Mutex<State>(.open(nil))

    /// - Returns: false when there was an answer already.
    @discardableResult
    func offer(_ value: Value) -> Bool {
        let (isFirst, waiter) = self.state.withLock { state -> (Bool, CheckedContinuation<Value, Never>?) in
            guard case .open(let waiter) = state else { return (false, nil) }
            state = .answered(value)
            return (true, waiter)
        }
        waiter?.resume(returning: value)
        return isFirst
    }

    /// To be awaited once.
    var value: Value {
        get async {
            await withCheckedContinuation { waiter in
                let answer = self.state.withLock { state -> Value? in
                    switch state {
                    case .open(nil):
                        state = .open(waiter)
                        return nil
                    case .open: preconditionFailure("one task awaits the answer")
                    case .answered(let value): return value
                    }
                }
                if let answer { waiter.resume(returning: answer) }
            }
        }
    }
}
