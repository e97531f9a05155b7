import Routing
import Testing

@testable import Node

/// SPEC ND-12: what a node tells the others that it can take.
@Suite struct IntakeTests {
    private func sample(
        mayAccept: Bool = true, pending: Int = 0, fill: Double = 0, rate: Double = 0, isFull: Bool = false,
        hasRefused: Bool = false, lag: Int64 = 0, latency: Int64 = 0
    ) -> Intake.Sample {
        Intake.Sample(
            mayAccept: mayAccept,
            admission: ConnectAdmission.Reading(
                pending: pending, limit: 2_000, fill: fill, rate: rate, isFull: isFull, hasRefused: hasRefused),
            loopLag: lag, commitLatency: latency)
    }

    @Test("An idle node takes its rate; small delays take nothing of it")
    func idle() {
        var intake = Intake(limit: 1_000)
        var rate = intake.sample(self.sample())
        #expect(rate == 1_000)
        let busy = self.sample(lag: Nanoseconds.milliseconds(100), latency: Nanoseconds.milliseconds(250))
        rate = intake.sample(busy)
        #expect(rate == 1_000)
    }

    @Test("A node that drains, is degraded or has no lease takes nothing")
    func closed() {
        var intake = Intake(limit: 1_000)
        var rate = intake.sample(self.sample(mayAccept: false))
        #expect(rate == 0)
        rate = intake.sample(self.sample())
        #expect(rate == 1_000)
    }

    @Test("Less as its admission fills", arguments: [(500, 750), (1_000, 500), (2_000, 0), (3_000, 0)])
    func fill(pending: Int, expected: Int) {
        var intake = Intake(limit: 1_000)
        let rate = intake.sample(self.sample(pending: pending))
        #expect(rate == expected)
    }

    @Test("Nothing at a lag of a second or a commit of two, and half of it half way")
    func slowness() {
        var intake = Intake(limit: 1_000)
        var rate = intake.sample(self.sample(lag: Nanoseconds.milliseconds(550)))
        #expect(rate == 500)
        intake = Intake(limit: 1_000)
        rate = intake.sample(self.sample(lag: Nanoseconds.seconds(1)))
        #expect(rate == 0)
        intake = Intake(limit: 1_000)
        rate = intake.sample(self.sample(latency: Nanoseconds.milliseconds(1_125)))
        #expect(rate == 500)
        intake = Intake(limit: 1_000)
        rate = intake.sample(self.sample(latency: Nanoseconds.seconds(9)))
        #expect(rate == 0)
    }

    @Test("The worst counts, alone")
    func worst() {
        var intake = Intake(limit: 1_000)
        let sample = self.sample(pending: 1_500, lag: Nanoseconds.milliseconds(550))
        let rate = intake.sample(sample)
        #expect(rate == 250)
    }

    @Test("A bad moment is remembered for some seconds, and then forgotten")
    func memory() {
        var intake = Intake(limit: 1_000)
        let rate = intake.sample(self.sample(lag: Nanoseconds.seconds(1)))
        #expect(rate == 0)
        var rates: [Int] = []
        for _ in 0..<15 { rates.append(intake.sample(self.sample())) }
        #expect(rates == rates.sorted())
        #expect(rates[0] < 300 && rates[4] < 1_000)
        #expect(rates[14] == 1_000)
    }

    @Test(
        "A full node tells what it gets done: more while few wait, half of it while as many as fit do",
        arguments: [(0.5, 100), (1.0, 50), (2.0, 50), (0.0, 150)])
    func full(fill: Double, expected: Int) {
        var intake = Intake(limit: 1_000)
        let rate = intake.sample(self.sample(fill: fill, rate: 100, isFull: true))
        #expect(rate == expected)
    }

    @Test("While some are refused that were sent here already, a tenth")
    func refusing() {
        var intake = Intake(limit: 1_000)
        let rate = intake.sample(self.sample(fill: 0.2, rate: 100, isFull: true, hasRefused: true))
        #expect(rate == 10)
    }

    @Test("A full node that gets nothing done takes one, to find out")
    func stuck() {
        var intake = Intake(limit: 1_000)
        let rate = intake.sample(self.sample(fill: 1, rate: 0, isFull: true))
        #expect(rate == 1)
    }

    @Test("What a full node could do is forgotten step by step once nobody waits")
    func recovery() {
        var intake = Intake(limit: 1_000)
        _ = intake.sample(self.sample(fill: 1, rate: 100, isFull: true))
        var rates: [Int] = []
        for _ in 0..<30 { rates.append(intake.sample(self.sample())) }
        #expect(rates == rates.sorted())
        #expect(rates[0] == 166 && rates[7] < 400)
        #expect(rates[29] == 1_000)
    }
}
