import NIOCore
import Testing

@testable import Wire

@Suite struct SocketRatesTests {
    private static let start = NIODeadline.uptimeNanoseconds(1 << 40)
    private static let limits = SocketRates.Limits(
        event: .init(perSecond: 10, burst: 40), action: .init(perSecond: 50, burst: 200),
        link: .init(perSecond: 5, burst: 20), peer: .init(perSecond: 100, burst: 400))

    @Test("LK-17: application events beyond the burst are taken, and the client pauses until they are paid for")
    func eventsPause() {
        var rates = SocketRates()
        for _ in 0..<40 { #expect(rates.take(.event, at: Self.start, Self.limits) == .within) }
        for number in 1...100 {
            let end = Self.start + .milliseconds(Int64(number) * 100)
            #expect(rates.take(.event, at: Self.start, Self.limits) == .pause(until: end))
            #expect(rates.resumption(Self.limits) == end)
        }
        let later = Self.start + .milliseconds(10_100)
        #expect(rates.take(.event, at: later, Self.limits) == .within)
    }

    @Test("LK-17: ten times the rate, all of it beyond the burst, disconnects")
    func eventsTenfold() {
        var rates = SocketRates()
        for _ in 0..<140 { #expect(rates.take(.event, at: Self.start, Self.limits) != .excessive) }
        #expect(rates.take(.event, at: Self.start, Self.limits) == .excessive)
    }

    @Test(
        "LK-17: what the product can answer is refused beyond its burst, and taken again at its rate",
        arguments: [(SocketRates.Kind.action, 200, 50), (.link, 20, 5), (.peer, 400, 100)])
    func productRefuses(kind: SocketRates.Kind, burst: Int, perSecond: Int) {
        var rates = SocketRates()
        for _ in 0..<burst { #expect(rates.take(kind, at: Self.start, Self.limits) == .within) }
        #expect(rates.take(kind, at: Self.start, Self.limits) == .refuse)
        let later = Self.start + .seconds(1)
        for _ in 0..<perSecond { #expect(rates.take(kind, at: later, Self.limits) == .within) }
        #expect(rates.take(kind, at: later, Self.limits) == .refuse)
    }

    @Test("LK-17: twice the rate is refused for ever, ten times the rate ends the socket")
    func productTenfold() {
        func outcome(perSecond: Int64) -> Set<String> {
            var rates = SocketRates()
            var seen: Set<String> = []
            for number in 0..<(perSecond * 100) {
                let now = Self.start + .nanoseconds(number * 1_000_000_000 / perSecond)
                switch rates.take(.action, at: now, Self.limits) {
                case .within: seen.insert("within")
                case .refuse: seen.insert("refuse")
                case .excessive: seen.insert("excessive")
                case .pause: seen.insert("pause")
                }
            }
            return seen
        }
        #expect(outcome(perSecond: 50) == ["within"])
        #expect(outcome(perSecond: 100) == ["within", "refuse"])
        #expect(outcome(perSecond: 499) == ["within", "refuse"])
        #expect(outcome(perSecond: 600) == ["within", "refuse", "excessive"])
    }

    @Test("LK-17: each kind has a bucket of its own")
    func kindsApart() {
        var rates = SocketRates()
        for _ in 0..<20 { #expect(rates.take(.link, at: Self.start, Self.limits) == .within) }
        #expect(rates.take(.link, at: Self.start, Self.limits) == .refuse)
        for kind in [SocketRates.Kind.event, .action, .peer] {
            #expect(rates.take(kind, at: Self.start, Self.limits) == .within)
        }
    }

    @Test("Where no rate is set nothing is counted")
    func none() {
        var rates = SocketRates()
        for kind in SocketRates.Kind.allCases {
            for _ in 0..<100_000 { _ = rates.take(kind, at: Self.start, SocketRates.Limits()) }
            #expect(rates.take(kind, at: Self.start, Self.limits) == .within)
        }
        #expect(SocketRates.Limits().isEmpty)
    }
}
