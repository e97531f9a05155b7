import ArgumentParser

/// Options that every load scenario shares.
struct LoadFlags: ParsableArguments {
    @Option(help: "A server, e.g. http://127.0.0.1:8080; repeat it for several nodes: connections go round.")
    var url: [String] = []

    @Option(help: "Connections.")
    var connections = 100

    @Option(help: "Connects under way at a time.")
    var concurrency = 100

    @Option(help: ArgumentHelp("Time from TCP connect to the answer to CONNECT.", valueName: "seconds"))
    var connectTimeout = 10.0

    @Option(help: ArgumentHelp("Time for all connections to come live.", valueName: "seconds"))
    var rampTimeout = 60.0

    @Option(help: "Event loops of this process, 1 to 16.")
    var loops = 1

    @Option(help: "Users are called PREFIX-0, PREFIX-1 and so on; several processes at a time need different ones.")
    var prefix = "load"

    @Option(help: ArgumentHelp("Sample the memory of this process (a node on the same machine).", valueName: "pid"))
    var pid: Int?

    @Option(help: ArgumentHelp("Report what the node counted meanwhile, from its /metrics.", valueName: "url"))
    var metrics: String?

    @Option(help: ArgumentHelp("Write the report there, too; - is standard output.", valueName: "file"))
    var json: String?

    func validate() throws {
        guard !self.url.isEmpty else { throw ValidationError("--url is needed, e.g. --url http://127.0.0.1:8080") }
        guard (1...1_000_000).contains(self.connections) else {
            throw ValidationError("--connections takes 1 to 1000000")
        }
        guard (1...100_000).contains(self.concurrency) else { throw ValidationError("--concurrency takes 1 to 100000") }
        guard (1...16).contains(self.loops) else { throw ValidationError("--loops takes 1 to 16") }
        for (name, value) in [("connect-timeout", self.connectTimeout), ("ramp-timeout", self.rampTimeout)] {
            guard (0.1...3600).contains(value) else { throw ValidationError("--\(name) takes 0.1 to 3600 seconds") }
        }
    }

    /// - Parameter duration: of the work, seconds.
    func plan(_ scenario: String, work: LoadPlan.Work, duration: Double) throws -> LoadPlan {
        var plan: LoadPlan
        do {
            plan = LoadPlan(
                scenario: scenario, targets: try self.url.map { try LoadTarget($0) }, connections: self.connections,
                work: work)
            plan.metrics = try self.metrics.map { try LoadTarget(metrics: $0) }
        } catch let failure as LoadTarget.Failure {
            throw ValidationError("\(failure)")
        }
        plan.loops = self.loops
        plan.userPrefix = self.prefix
        plan.concurrency = self.concurrency
        plan.connectTimeout = Self.microseconds(self.connectTimeout)
        plan.rampTimeout = Self.microseconds(self.rampTimeout)
        plan.duration = Self.microseconds(duration)
        plan.pid = self.pid
        return plan
    }

    static func microseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1_000_000) }

    /// Checks a duration of the command line.
    static func check(_ name: String, _ seconds: Double, in range: ClosedRange<Double> = 0.1...86_400) throws {
        guard range.contains(seconds) else {
            throw ValidationError("--\(name) takes \(range.lowerBound) to \(range.upperBound) seconds")
        }
    }
}
