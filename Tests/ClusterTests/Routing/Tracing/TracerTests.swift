import NIOCore
import Routing
import Synchronization
import Testing
import Wire

@Suite("Traces of events") struct TracerTests {
    /// Keeps what is appended.
    private final class Shelf: TraceStore {
        private let state = Mutex([TraceStep]())
        func append(_ step: TraceStep) { self.state.withLock { $0.append(step) } }
        var steps: [TraceStep] { self.state.withLock(\.self) }
    }

    private static func tracer(_ shelf: Shelf, rate: Double = 0) -> Tracer {
        Tracer(store: shelf, node: "n", rate: rate) { 7 }
    }

    @Test("An id is 22 characters, and read back; anything else is none")
    func identifier() throws {
        let id = TraceID.random()
        #expect(id.text.utf8.count == 22)
        #expect(TraceID(id.text) == id)
        #expect(TraceID(high: 1, low: 2) == TraceID(TraceID(high: 1, low: 2).text))
        for text in ["", "x", String(id.text.dropLast()), id.text + "A", String(repeating: "!", count: 22)] {
            #expect(TraceID(text) == nil, "\(text)")
        }
    }

    @Test("Only what is asked for, or chosen by the rate, is traced")
    func sampling() {
        let shelf = Shelf()
        #expect(Self.tracer(shelf).begin(isAsked: true) != nil)
        #expect((0..<100).allSatisfy { _ in Self.tracer(shelf).begin(isAsked: false) == nil })
        #expect((0..<100).allSatisfy { _ in Self.tracer(shelf, rate: 1).begin(isAsked: false) != nil })
        let some = (0..<4_000).count { _ in Self.tracer(shelf, rate: 0.5).begin(isAsked: false) != nil }
        #expect((1_000...3_000).contains(some))
        #expect(shelf.steps.isEmpty)
    }

    @Test("What a node asks of another one goes in the message's source: either, both, or nothing")
    func source() {
        let id = TraceID.random()
        for (request, trace) in [(nil, nil), (UInt64(7), nil), (nil, id), (UInt64.max, id)] as [(UInt64?, TraceID?)] {
            let source = EventConfirmation.source(request, trace: trace.map { TracedEvent($0) })
            let message = BusMessage(kind: .event, key: "d/u", payload: ByteBuffer(), source: source)
            #expect(EventConfirmation.request(of: message) == request)
            #expect(EventConfirmation.trace(of: message) == trace)
            #expect(EventConfirmation.traced(message) == trace.map { TracedEvent($0) })
            #expect(source.isEmpty == (request == nil && trace == nil))
        }
        for source in ["trace:", "trace:short", "confirm:x trace:?", "tracer:\(id.text)"] {
            let message = BusMessage(kind: .event, key: "d/u", payload: ByteBuffer(), source: source)
            #expect(EventConfirmation.trace(of: message) == nil, "\(source)")
        }
        let kick = BusMessage(kind: .kick, key: "", payload: ByteBuffer(), source: "trace:\(id.text)")
        #expect(EventConfirmation.trace(of: kick) == nil)
    }

    @Test("A node that gets an event works under the span of the one that has sent it")
    func parents() throws {
        let parent = try #require(TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        let sent = TracedEvent(.random(), in: TraceSpan(under: parent))
        let source = EventConfirmation.source(7, trace: sent)
        let message = BusMessage(kind: .event, key: "d/u", payload: ByteBuffer(), source: source)
        #expect(EventConfirmation.request(of: message) == 7 && EventConfirmation.trace(of: message) == sent.id)
        let taken = try #require(EventConfirmation.traced(message))
        #expect(taken.id == sent.id)
        #expect(taken.span?.parent == sent.span?.own && taken.span?.own != sent.span?.own)
        #expect(taken.span?.own.traceID == "0af7651916cd43dd8448eb211c80319c")
        // What is no parent is none, and the event is traced all the same.
        let odd = BusMessage(
            kind: .event, key: "d/u", payload: ByteBuffer(), source: "trace:\(sent.id.text) parent:00-0af7")
        #expect(EventConfirmation.traced(odd) == TracedEvent(sent.id))
    }

    @Test("The log is told of events in a trace of the application's that some connection got, and of no others")
    func log() throws {
        let told = Mutex([String]())
        let tracer = Tracer(store: Shelf(), node: "n", rate: 0) {
            7
        } log: { event, span, written, pending in
            told.withLock { $0.append("\(event.text) \(span.own.text) \(written) \(pending)") }
        }
        let parent = try #require(TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        let event = TracedEvent(.random(), in: TraceSpan(under: parent))
        let devices = [
            WrittenDevice(client: "a", written: 2, pending: 0), WrittenDevice(client: "b", written: 1, pending: 1),
        ]
        tracer.note(TracedEvent(.random()), written: devices)
        tracer.note(event, written: [])
        tracer.note(event, written: devices)
        #expect(told.withLock(\.self) == ["\(event.id.text) \(event.span?.own.text ?? "") 3 1"])
    }

    @Test("Steps are told in the order of their times; of one millisecond, in the order in which such things happen")
    func order() {
        let id = TraceID.random()
        func step(_ time: Int64, _ hop: TraceHop) -> TraceStep { TraceStep(event: id, time: time, node: "n", hop: hop) }
        let device = WrittenDevice(client: "c", written: 1, pending: 0)
        let steps = [
            step(5, .delivered(device)), step(5, .read(from: "a")), step(3, .routes(connections: 1, nodes: ["b"])),
            step(3, .accepted(to: RouteKey(domain: "d", user: "u"), client: nil, bytes: 1)),
            step(5, TraceHop(kind: "unheard", details: ["of": "yes"])),
        ]
        #expect(
            TraceStep.inOrder(steps).map(\.hop.kind) == ["accepted", "routes", "read", "delivered", "unheard"])
        // One node's clock is behind by 10 ms and more: what it says comes as a whole behind the beginning.
        let late = TraceStep(event: id, time: -7, node: "late", hop: .read(from: "n"))
        let later = TraceStep(event: id, time: -6, node: "late", hop: .delivered(device))
        #expect(
            TraceStep.inOrder([later, late, steps[3], steps[2]]).map(\.hop.kind)
                == ["accepted", "routes", "read", "delivered"])
        #expect(steps[4].hop.sentence == "unheard of=yes")
    }

    @Test("Every kind has a sentence with what it is about")
    func sentences() throws {
        let parent = try #require(TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        let key = RouteKey(domain: "d", user: "u")
        let sentences: [(TraceHop, String)] = [
            (.accepted(to: key, client: "c", bytes: 9), "accepted for device c of d/u, 9 bytes"),
            (.accepted(to: key, client: nil, bytes: 9), "accepted for d/u, 9 bytes"),
            (.logged(true), "stored in the recovery log, for who may come back"),
            (.logged(false), "could not be stored in the recovery log"),
            (.routes(connections: 3, nodes: ["a", "b"]), "routes read: 3 connections, on other nodes: a b"),
            (.routes(connections: 0, nodes: []), "routes read: 0 connections, none on another node"),
            (.routesUnread, "routes could not be read: other nodes are not told"),
            (.stored(for: "b", home: "s/slot1", milliseconds: 4), "stored for b in s/slot1 after 4 ms"),
            (.copied(for: "b", home: "s/slot2"), "copied for b into s/slot2, as its home does not answer"),
            (.unsent(for: "b", reason: "backlog"), "not sent to b: backlog"), (.read(from: "a"), "read from a"),
            (.delivered(.init(client: "c", written: 2, pending: 0)), "written to 2 sockets of c"),
            (.delivered(.init(client: "c", written: 2, pending: 1)), "written to 2 sockets of c, pending for 1"),
            (.dropped("too old"), "dropped: too old"), (.parent(parent), "in the trace \(parent.text)"),
        ]
        for (hop, sentence) in sentences { #expect(hop.sentence == sentence) }
        #expect(Set(sentences.map(\.0.kind)) == Set(TraceHop.Kind.allCases.map(\.rawValue)))
    }
}
