import NIOCore
import NIOPosix
import Synchronization

/// The run's view of its loops, from outside.
final class LoadWatch: Sendable {
    private let plan: LoadPlan
    private let origin: NIODeadline
    private let loops = Mutex<[NIOLoopBound<LoadLoop>]>([])

    init(plan: LoadPlan, origin: NIODeadline) {
        self.plan = plan
        self.origin = origin
    }

    /// Microseconds since the origin.
    var now: UInt64 { UInt64((NIODeadline.now() - self.origin).nanoseconds) / 1000 }

    func start(on group: MultiThreadedEventLoopGroup) async throws {
        let streams = StreamNumbers()
        let plan = self.plan
        let origin = self.origin
        for index in 0..<plan.loops {
            let eventLoop = group.next()
            let loop = try await eventLoop.submit {
                NIOLoopBound(
                    LoadLoop(eventLoop: eventLoop, index: index, plan: plan, streams: streams, origin: origin),
                    eventLoop: eventLoop)
            }.get()
            self.loops.withLock { $0.append(loop) }
        }
    }

    func connectAll() async throws { _ = try await self.each { $0.connectAll() } }

    func beginWork(start: UInt64, end: UInt64) async throws {
        _ = try await self.each { $0.beginWork(start: start, end: end) }
    }

    func dropAll() async throws { _ = try await self.each { $0.dropAll() } }

    func stopWork() async throws { _ = try await self.each { $0.stopWork() } }

    func snapshot() async throws -> LoadSnapshot {
        var whole = LoadSnapshot()
        for snapshot in try await self.each({ $0.snapshot() }) { whole.merge(snapshot) }
        return whole
    }

    func finish() async throws -> LoadResult {
        var whole = LoadResult()
        for result in try await self.each({ $0.finish() }) { whole.merge(result) }
        return whole
    }

    private func each<Value: Sendable>(_ body: @escaping @Sendable (LoadLoop) -> Value) async throws -> [Value] {
        var values: [Value] = []
        for loop in self.loops.withLock({ $0 }) {
            values.append(try await loop.eventLoop.submit { body(loop.value) }.get())
        }
        return values
    }
}
