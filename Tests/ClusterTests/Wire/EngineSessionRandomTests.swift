import NIOCore
import Testing

@testable import Wire

extension WireEngineSessionTests {
    @Test("Random events never end a session twice, and nothing happens after the end", arguments: UInt64(1)...20)
    func random(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        let types: [EnginePacketType] = [.open, .close, .ping, .pong, .message, .upgrade, .noop]
        for _ in 0..<100 {
            var driver = Driver(Bool.random(using: &generator) ? .polling : .websocket)
            var announced = 0
            var ended = 0
            func note(_ ending: EngineEnding?) {
                guard let ending else { return }
                ended += 1
                if !ending.wasAnnounced { announced += 1 }
            }
            var time: Int64 = 0
            for _ in 0..<60 {
                time += Int64.random(in: 0...80, using: &generator)
                driver.at(time)
                let type = types.randomElement(using: &generator)!
                switch Int.random(in: 0...11, using: &generator) {
                case 0:
                    if case .end(let ending) = driver.heartbeat() { note(ending) }
                case 1:
                    switch driver.poll(isQueueEmpty: Bool.random(using: &generator)) {
                    case .last(let ending), .overtaken(let ending), .overlap(let ending), .expired(let ending):
                        note(ending)
                    case .hold, .holdBriefly, .answer, .refuse: break
                    }
                case 2:
                    switch driver.post() {
                    case .reject(_, let ending), .expired(let ending): note(ending)
                    case .read, .refuse: break
                    }
                case 3: _ = driver.session.postBody()
                case 4: note(driver.session.postLost())
                case 5: note(driver.session.pollLost())
                case 6, 7:
                    switch driver.receive(type) {
                    case .end(let ending): note(ending)
                    case .leave: announced += 1
                    case .none, .message: break
                    }
                case 8:
                    if case .expired(let ending) = driver.upgradeRequest() { note(ending) }
                case 9: _ = driver.probe(type, isProbe: Bool.random(using: &generator))
                case 10: _ = driver.answerPoll()
                default:
                    guard Int.random(in: 0...5, using: &generator) == 0 else { continue }
                    switch driver.close() {
                    case .end(let ending): note(ending)
                    case .waitForPoll: announced += 1
                    case .none: break
                    }
                }
            }
            #expect(ended <= 1, "seed \(seed)")
            #expect(announced <= 1, "seed \(seed)")
            #expect(driver.session.isClosed == (ended == 1), "seed \(seed)")
            #expect((driver.session.nextDeadline == nil) == driver.session.isClosed, "seed \(seed)")
        }
    }
}
