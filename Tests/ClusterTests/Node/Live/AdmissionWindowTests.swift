import NIOCore
import Routing
import Testing

@testable import Node

/// SPEC ND-15: no more connects than get done in time.
@Suite struct AdmissionWindowTests {
    /// A node that gets so many connects done a second, in order, and clients that come as fast as they may.
    private struct Model {
        var window: AdmissionWindow
        var perSecond: Double
        /// Connects a second that come; more than are done.
        var arrivals = 1_000.0
        private(set) var working = 0.0
        private(set) var refused = 0.0
        /// Seconds that a connect takes that begins now.
        var delay: Double { self.working / max(self.perSecond, 0.001) }

        init(_ window: AdmissionWindow, perSecond: Double) {
            self.window = window
            self.perSecond = perSecond
        }

        mutating func run(seconds: Double) {
            for _ in 0..<Int(seconds * 5) {
                var done = 0.0
                var hasRefused = false
                for _ in 0..<20 {
                    let came = self.arrivals / 100
                    let taken = min(came, max(Double(self.window.size) - self.working, 0))
                    hasRefused = hasRefused || taken < came
                    self.refused += came - taken
                    let finished = min(self.working + taken, self.perSecond / 100)
                    self.working += taken - finished
                    done += finished
                }
                self.window.sample(
                    AdmissionWindow.Sample(
                        done: Int(done.rounded()), working: Int(self.working.rounded(.up)), hasRefused: hasRefused,
                        nanoseconds: Nanoseconds.milliseconds(200)))
            }
        }
    }

    private func window(limit: Int = 2_000, target: Double? = 1) -> AdmissionWindow {
        AdmissionWindow(limit: limit, target: target)
    }

    @Test(
        "Under a storm connects take about the target, whatever the node can do",
        arguments: [40.0, 100.0, 300.0, 900.0])
    func storm(perSecond: Double) {
        var model = Model(self.window(), perSecond: perSecond)
        model.run(seconds: 20)
        for _ in 0..<20 {
            model.run(seconds: 1)
            #expect((0.5...2).contains(model.delay), "\(model.delay) s at \(perSecond)/s")
        }
        #expect(model.refused > 0)
    }

    @Test("No connect of a storm waits until it is given up, from the first moment on", arguments: [60.0, 200.0])
    func onset(perSecond: Double) {
        var model = Model(self.window(), perSecond: perSecond)
        for _ in 0..<50 {
            model.run(seconds: 0.2)
            #expect(model.delay < 5)
        }
    }

    @Test("A node that becomes slower, and fast again, is followed")
    func change() {
        var model = Model(self.window(), perSecond: 500)
        model.run(seconds: 10)
        model.perSecond = 50
        model.run(seconds: 20)
        #expect(model.delay < 4)
        model.perSecond = 800
        model.run(seconds: 10)
        #expect(model.window.size > 500)
    }

    @Test("A database that hangs leaves a few that find out when it is back")
    func hang() {
        var model = Model(self.window(), perSecond: 500)
        model.run(seconds: 10)
        model.perSecond = 0
        model.run(seconds: 20)
        #expect(model.window.size == 20)
        model.perSecond = 500
        model.run(seconds: 10)
        #expect(model.window.size > 300)
    }

    @Test("Few that each take longer than the target, however few they are, don't keep the window small")
    func slow() {
        // Ten times as many get done in the same time: a database that is slow for other reasons commits them as one group.
        var window = self.window()
        var working = 100.0
        for _ in 0..<600 {
            let done = working / 1.1 / 5
            window.sample(
                AdmissionWindow.Sample(
                    done: Int(done.rounded()), working: Int(working), hasRefused: true,
                    nanoseconds: Nanoseconds.milliseconds(200)))
            working = Double(window.size)
        }
        #expect(window.size > 200)
    }

    @Test("Few connects teach nothing: the window stays as it was")
    func idle() {
        var model = Model(self.window(), perSecond: 500)
        model.run(seconds: 10)
        let size = model.window.size
        model.arrivals = 2
        model.run(seconds: 60)
        #expect(!model.window.isFull)
        #expect(model.window.size == size)
    }

    @Test("Never more than the limit, which is all that holds without a target")
    func limit() {
        var model = Model(self.window(limit: 100), perSecond: 900)
        model.run(seconds: 20)
        #expect(model.window.size == 100)
        let open = self.window(limit: 20_000, target: nil)
        #expect(open.size == 20_000)
    }

    @Test("Handshakes are refused beyond the window, and who waits for the application does not count")
    func admission() {
        let admission = ConnectAdmission(limit: 2_000, target: 1)
        for _ in 0..<100 { admission.enter() }
        #expect(!admission.mayBegin())
        #expect(admission.hasRoom)
        admission.beginWaiting()
        #expect(admission.mayBegin())
        admission.endWaiting()
        #expect(!admission.mayBegin())
        let full = admission.sample(at: .now() + .milliseconds(200))
        #expect(full.isFull && full.pending == 100 && full.fill >= 1)
        for _ in 0..<99 { admission.leave(isDone: true, isWaiting: false) }
        admission.beginWaiting()
        admission.leave(isDone: false, isWaiting: true)
        #expect(admission.count == 0)
        let idle = admission.sample(at: .now() + .milliseconds(400))
        #expect(!idle.isFull && idle.pending == 0 && idle.fill == 0)
    }
}
