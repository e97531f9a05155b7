import Logging
import Routing
import Testing
import Wire

@testable import Backplane

@Suite("Store of traces") struct TraceStoreTests {
    @Test("What is written is read, and steps of a kind that is not known here are kept")
    func codec() throws {
        let id = TraceID.random()
        let steps = [
            TraceStep(event: id, time: 3, node: "a", hop: .stored(for: "b", home: "s/slot0", milliseconds: 2)),
            TraceStep(event: id, time: 4, node: "b", hop: TraceHop(kind: "unheard", details: ["x": "y"])),
        ]
        let document = BSONDocument { document in
            document.append("_id", id.text)
            document.append("fv", Int32(1))
            document.array("s") { array in
                for step in steps { array.documentElement { TraceCodec.write(step, into: &$0) } }
            }
        }
        #expect(try TraceCodec.decode(document, .current) == steps)
        #expect(throws: DocumentError.self) {
            try TraceCodec.decode(BSONDocument { $0.append("_id", "short") }, .current)
        }
    }

    @Test("Without MongoDB steps are dropped: never more than 10,000 wait, and nobody waits for them")
    func bounded() async {
        let settings = MongoSettings(uri: "mongodb://127.0.0.1:1/?directConnection=false")
        let store = MongoTraceStore(settings: settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let id = TraceID.random()
        for number in 0..<(2 * MongoTraceStore.waitingLimit + 10) {
            store.append(TraceStep(event: id, time: Int64(number), node: "n", hop: .dropped("test")))
            if number % 1_000 == 0 { #expect(store.waiting <= MongoTraceStore.waitingLimit) }
        }
        #expect(store.waiting <= MongoTraceStore.waitingLimit)
        await store.shutdown()
        #expect(store.waiting == 0)
        store.append(TraceStep(event: id, time: 0, node: "n", hop: .dropped("closed")))
        #expect(store.waiting == 0)
    }
}
