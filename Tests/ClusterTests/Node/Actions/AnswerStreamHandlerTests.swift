import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Synchronization
import Testing

@testable import Node

@Suite("AC-10: the connection of a streamed answer")
struct AnswerStreamHandlerTests {
    /// A connection with a stream on it, and what became of both.
    private struct Connection {
        let channel = EmbeddedChannel()
        let stalls = Counted()
        let cancels = Counted()

        final class Counted: Sendable {
            private let count = Mutex(0)
            var value: Int { self.count.withLock(\.self) }
            func add() { self.count.withLock { $0 += 1 } }
        }

        init() throws {
            let (stalls, cancels) = (self.stalls, self.cancels)
            try self.channel.pipeline.syncOperations.addHandler(
                AnswerStreamHandler(stallTimeout: .seconds(60)) { stalls.add() })
            self.channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            let began = self.channel.eventLoop.makePromise(of: Void.self)
            self.channel.pipeline.triggerUserOutboundEvent(
                AnswerStreamHandler.Began { cancels.add() }, promise: began)
            try began.futureResult.wait()
            self.channel.write(HTTPResponsePart.head(HTTPResponse(status: .ok)), promise: nil)
        }

        func write(_ part: HTTPResponsePart = .body(ByteBuffer(string: "x"))) { self.channel.write(part, promise: nil) }
        func wait(_ seconds: Int64) { self.channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }
    }

    @Test("A client that takes nothing for the time of a stall is cut, counted, and its source ended, once")
    func stall() throws {
        let connection = try Connection()
        connection.write()
        connection.wait(59)
        #expect(connection.stalls.value == 0 && connection.channel.isActive)
        // Progress begins the time anew.
        connection.channel.flush()
        connection.write()
        connection.wait(59)
        #expect(connection.stalls.value == 0)
        connection.wait(1)
        #expect(connection.stalls.value == 1 && connection.cancels.value == 1 && !connection.channel.isActive)
        connection.wait(600)
        #expect(connection.stalls.value == 1 && connection.cancels.value == 1)
    }

    @Test("A source that has nothing to send is no stall, and none is looked for behind its end")
    func silence() throws {
        let connection = try Connection()
        connection.channel.flush()
        connection.wait(600)
        #expect(connection.stalls.value == 0 && connection.channel.isActive)
        connection.write(.end(nil))
        connection.channel.flush()
        connection.write()
        connection.wait(600)
        #expect(connection.stalls.value == 0 && connection.channel.isActive)
        connection.channel.close(promise: nil)
        #expect(connection.cancels.value == 0)
    }

    @Test("The client's disconnect ends the source")
    func disconnect() throws {
        let connection = try Connection()
        connection.channel.close(promise: nil)
        connection.channel.embeddedEventLoop.run()
        #expect(connection.cancels.value == 1)
        let late = connection.channel.eventLoop.makePromise(of: Void.self)
        connection.channel.pipeline.triggerUserOutboundEvent(AnswerStreamHandler.Began {}, promise: late)
        #expect(throws: (any Error).self) { try late.futureResult.wait() }
    }
}
