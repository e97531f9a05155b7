import NIOCore
import Testing

@testable import Server

/// The official client's rules for connection state recovery (SOCKETIO §14.1).
@Suite struct RecoveryStateTests {
    @Test("The same pid means recovered; a new one, or none, does not (§14.1, 5 and 6)")
    func pids() {
        var state = RecoveryState()
        #expect(state.connected(pid: "a") == false)
        #expect(state.connected(pid: "a") == true)
        #expect(state.connected(pid: "b") == false)
        #expect(state.connected(pid: nil) == false)
        #expect(state.connected(pid: nil) == false)
    }

    @Test("Any last argument that is a string becomes the offset, once a pid is known (§14.1, 3)")
    func offsets() {
        var state = RecoveryState()
        state.received(lastArgument: "too early")
        #expect(state.offset == nil)
        _ = state.connected(pid: "a")
        state.received(lastArgument: "Q1")
        state.received(lastArgument: nil)
        #expect(state.offset == "Q1")
        state.received(lastArgument: "not meant as one")
        #expect(state.offset == "not meant as one")
    }

    @Test("The offset outlives a new session until the next event, as in the official client")
    func offsetStays() {
        var state = RecoveryState()
        _ = state.connected(pid: "a")
        state.received(lastArgument: "Q1")
        _ = state.connected(pid: "b")
        #expect(state.pid == "b" && state.offset == "Q1")
    }

    @Test("Both go into the auth payload before the application's keys (§14.1, 4)")
    func auth() {
        var state = RecoveryState()
        func packet() -> String { String(buffer: LoadClient.connectPacket(recovery: state, user: "load-1")) }
        #expect(packet() == #"40{"user":"load-1","client":"c"}"#)
        _ = state.connected(pid: "p\"1")
        #expect(packet() == #"40{"pid":"p\"1","user":"load-1","client":"c"}"#)
        state.received(lastArgument: "Q1")
        #expect(packet() == #"40{"pid":"p\"1","offset":"Q1","user":"load-1","client":"c"}"#)
    }
}
