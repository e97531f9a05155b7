import NIOCore
import Synchronization

/// The figures of the cluster for everybody who wants them again and again: however many ask, the other nodes are asked once
/// in ``freshness``.
final class FiguresFeed: Sendable {
    /// How old an answer may be that is given to another one.
    static let freshness = TimeAmount.milliseconds(900)

    private typealias Waiter = CheckedContinuation<Result<ClusterFigures, StationError>, Never>

    private enum State {
        case idle
        case asking(waiters: [Waiter])
        case known(Result<ClusterFigures, StationError>, at: NIODeadline)
    }

    private let state = Mutex(State.idle)

    /// - Parameters:
    ///   - submit: runs what whoever asked first may not live to see the end of; false: it will not run.
    ///   - ask: asks all nodes.
    func figures(
        submit: (@escaping @Sendable () async -> Void) -> Bool,
        _ ask: @escaping @Sendable () async throws(StationError) -> ClusterFigures
    ) async throws(StationError) -> ClusterFigures {
        let isDue = self.state.withLock { state -> Bool in
            switch state {
            case .idle: break
            case .known(_, let time): guard NIODeadline.now() - time > Self.freshness else { return false }
            case .asking: return false
            }
            state = .asking(waiters: [])
            return true
        }
        if isDue {
            let isAccepted = submit {
                do throws(StationError) {
                    self.answer(.success(try await ask()))
                } catch {
                    self.answer(.failure(error))
                }
            }
            if !isAccepted { self.answer(.failure(.unavailable("too much is under way on this node"))) }
        }
        return try await self.next().get()
    }

    private func answer(_ result: Result<ClusterFigures, StationError>) {
        let waiters = self.state.withLock { state -> [Waiter] in
            guard case .asking(let waiters) = state else { preconditionFailure("who asks also answers") }
            state = .known(result, at: .now())
            return waiters
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    private func next() async -> Result<ClusterFigures, StationError> {
        await withCheckedContinuation { continuation in
            let known = self.state.withLock { state -> Result<ClusterFigures, StationError>? in
                switch state {
                case .known(let result, _): return result
                case .asking(var waiters):
                    waiters.append(continuation)
                    state = .asking(waiters: waiters)
                    return nil
                case .idle: preconditionFailure("once asked, never idle again")
                }
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
