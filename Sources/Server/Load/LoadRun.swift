import NIOCore
import NIOPosix

/// One run of a plan: connect, work, settle, close, report. SIGINT ends the work before its time, and what was found is
/// reported.
struct LoadRun {
    enum Failure: Error, CustomStringConvertible {
        case unreachable([String])
        case incomplete(live: Int, wanted: Int, reasons: [String: Int])

        var description: String {
            switch self {
            case .unreachable(let urls): "no server answers at \(urls.joined(separator: ", "))"
            case .incomplete(let live, let wanted, let reasons):
                "only \(live) of \(wanted) connections came live in time"
                    + reasons.sorted { $0.key < $1.key }.map { "\n  \($0.value): \($0.key)" }.joined()
            }
        }
    }

    private static let poll = Duration.milliseconds(50)
    /// Without anything arriving for so long, what is missing will not come.
    private static let quiet: UInt64 = 1_500_000

    let plan: LoadPlan
    /// Called about once a second with a line for the terminal.
    let progress: (String) -> Void

    func run() async throws -> LoadReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: self.plan.loops)
        do {
            let report = try await self.run(on: group)
            try await group.shutdownGracefully()
            return report
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }

    private func run(on group: MultiThreadedEventLoopGroup) async throws -> LoadReport {
        try await self.findServer(group)
        let probe = self.plan.metrics.map { MetricsProbe(target: $0, group: group) }
        let before = try await probe?.counters()
        let watch = LoadWatch(plan: self.plan, origin: .now())
        try await watch.start(on: group)
        var ticker = LoadTicker(plan: self.plan, progress: self.progress)
        let wanted = self.plan.connections + self.plan.publishers

        let began = watch.now
        try await watch.connectAll()
        let ramp = try await self.allLive(watch, connects: wanted, &ticker) - began

        var storms: [UInt64] = []
        if case .storm(let rounds) = self.plan.work {
            for _ in 0..<rounds { storms.append(try await self.storm(watch, &ticker)) }
        }
        var plan = self.plan
        plan.duration = try await self.work(watch, &ticker)
        try await watch.stopWork()
        try await self.settle(watch, wanted: wanted, &ticker)
        // Before the connections are closed, which counts, too.
        let after = try await probe?.counters()
        let result = try await watch.finish()
        var report = LoadReport(
            plan: plan, result: result, rampSeconds: Double(ramp) / 1_000_000, memory: ticker.memory)
        if !storms.isEmpty { report.storm = LoadReport.Storm(storms) }
        if let before, let after { report.nodeCounted = MetricsProbe.growth(from: before, to: after) }
        return report
    }

    /// - Returns: for how long events were sent, microseconds.
    private func work(_ watch: LoadWatch, _ ticker: inout LoadTicker) async throws -> UInt64 {
        let interrupt = await LoadInterrupt()
        defer { interrupt.end() }
        let start = watch.now + 20_000
        let end = start + self.plan.duration
        try await watch.beginWork(start: start, end: end)
        while watch.now < end, !interrupt.isRaised {
            try await Task.sleep(for: Self.poll)
            ticker.tick("running", try await watch.snapshot(), at: watch.now)
        }
        return min(max(watch.now, start), end) - start
    }

    /// Waits until all connections are live and so many connects have succeeded.
    ///
    /// - Returns: when the last one came live, microseconds.
    private func allLive(_ watch: LoadWatch, connects: Int, _ ticker: inout LoadTicker) async throws -> UInt64 {
        let wanted = self.plan.connections + self.plan.publishers
        let began = watch.now
        while true {
            let snapshot = try await watch.snapshot()
            ticker.tick("connecting", snapshot, at: watch.now)
            if snapshot.live >= wanted, snapshot.tally.connects >= connects { return snapshot.lastLiveAt }
            guard watch.now < began + self.plan.rampTimeout else {
                let failures = snapshot.tally.failures.merging(snapshot.tally.drops, uniquingKeysWith: +)
                _ = try await watch.finish()
                throw Failure.incomplete(live: snapshot.live, wanted: wanted, reasons: failures)
            }
            try await Task.sleep(for: Self.poll)
        }
    }

    /// - Returns: microseconds from the moment at which all connections were dropped until all were live again.
    private func storm(_ watch: LoadWatch, _ ticker: inout LoadTicker) async throws -> UInt64 {
        let before = try await watch.snapshot().tally.connects
        let dropped = watch.now
        try await watch.dropAll()
        let wanted = self.plan.connections + self.plan.publishers
        return try await self.allLive(watch, connects: before + wanted, &ticker) - dropped
    }

    /// Waits until nothing is under way any more.
    private func settle(_ watch: LoadWatch, wanted: Int, _ ticker: inout LoadTicker) async throws {
        let deadline = watch.now + self.plan.settle
        var received = -1
        var lastChange = watch.now
        while watch.now < deadline {
            let snapshot = try await watch.snapshot()
            ticker.tick("settling", snapshot, at: watch.now)
            if snapshot.tally.received != received {
                received = snapshot.tally.received
                lastChange = watch.now
            }
            let isWhole = snapshot.live >= wanted - (self.plan.slow?.connections ?? 0) && snapshot.unacknowledged == 0
            let isQuiet = self.plan.publishers == 0 || watch.now >= lastChange + Self.quiet
            if isWhole, isQuiet { return }
            try await Task.sleep(for: Self.poll)
        }
    }

    /// Whether anybody listens at all, before thousands try.
    private func findServer(_ group: MultiThreadedEventLoopGroup) async throws {
        for target in self.plan.targets {
            do {
                let channel = try await ClientBootstrap(group: group)
                    .connectTimeout(.microseconds(Int64(self.plan.connectTimeout)))
                    .connect(to: target.address).get()
                try await channel.close()
                return
            } catch {
                // The next one may be there; the run's own attempts tell of each failure.
                continue
            }
        }
        throw Failure.unreachable(self.plan.targets.map { $0.url })
    }
}
