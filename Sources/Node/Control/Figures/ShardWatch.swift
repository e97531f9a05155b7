import Routing
import Synchronization

/// What the route queues of the shards have had to do within the last second: they tell it once, so one part reads it for all.
final class ShardWatch: Sendable {
    private let newest = Mutex<[RouteCommitter.ShardFigures]>([])

    var figures: [RouteCommitter.ShardFigures] { self.newest.withLock(\.self) }

    /// Reads until the task is cancelled.
    /// - Parameter committer: nil while there is no incarnation.
    func run(_ committer: @Sendable () -> RouteCommitter?) async {
        while !Task.isCancelled {
            let figures = committer()?.takeFigures() ?? []
            self.newest.withLock { $0 = figures }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }
}
