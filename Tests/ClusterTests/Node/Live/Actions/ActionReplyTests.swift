import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct ActionReplyTests {
    private static func id(_ text: String) -> MessageID? {
        ByteBuffer(string: text).withUnsafeReadableBytes { MessageID(json: $0) }
    }

    private static func json(_ reply: ActionReply) -> String { String(buffer: reply.json) }

    @Test("AC-8: id, integer status, content, and events for clients that take them there")
    func ordinary() {
        let answer = ActionAnswer(status: 201, content: ["a": 1], events: [["e", 2]])
        #expect(
            Self.json(ActionReply(id: Self.id(#""\u0061""#), answer, speaksProduct: true))
                == #"{"_id":"\u0061","status":201,"content":{"a":1},"events":[["e",2]]}"#)
        #expect(Self.json(ActionReply(id: nil, answer, speaksProduct: false)) == #"{"status":201,"content":{"a":1}}"#)
    }

    @Test("AC-11, AC-12: the methods of a path; ID-17: a ticket")
    func more() {
        var reply = ActionReply(
            id: Self.id("-1"), ActionAnswer(status: 405, content: ["error": "METHOD"], allow: ["GET", "HEAD"]),
            speaksProduct: false)
        reply.ticket = "abc"
        #expect(
            Self.json(reply) == #"{"_id":-1,"status":405,"content":{"error":"METHOD"},"allow":["GET","HEAD"],"#
                + #""session":{"ticket":"abc"}}"#)
    }

    @Test("AC-10: the head of a stream, and its chunks")
    func stream() throws {
        var answer = ActionAnswer(status: 200)
        answer.stream = AnswerStream(length: 12, type: "text/plain", next: { nil }, cancel: {})
        let id = try #require(Self.id("5"))
        #expect(
            Self.json(ActionReply(id: id, answer, speaksProduct: false))
                == #"{"_id":5,"status":200,"stream":true,"length":12,"type":"text/plain"}"#)
        let chunk = OutboundPacket.chunk(id, number: 3, ByteBuffer(string: "abc"))
        #expect(
            String(buffer: chunk.text) == #"51-["chunk",{"_id":5,"n":3,"data":{"_placeholder":true,"num":0}}]"#)
        #expect(chunk.attachments == [ByteBuffer(string: "abc")])
        #expect(
            String(buffer: OutboundPacket.lastChunk(id, number: 4).text) == #"2["chunk",{"_id":5,"n":4,"end":true}]"#)
        #expect(
            String(buffer: OutboundPacket.failedChunk(id, number: 4, error: "FAILED").text)
                == #"2["chunk",{"_id":5,"n":4,"error":"FAILED"}]"#)
        #expect(String(buffer: OutboundPacket.invalidChunk(nil).text) == #"2["chunk",{"error":"INVALID"}]"#)
        #expect(
            String(buffer: OutboundPacket.replyAck(ByteBuffer(string: "{}"), ackID: 9).text) == "39[{}]")
    }

    @Test("EV-5: a reply's event is any event, so its name may not be one of the product's or of Socket.IO's")
    func names() throws {
        let event = try OutboundPacket.event(["hello", ["a": 1], "b"])
        #expect(String(buffer: event.text) == #"2["hello",{"a":1},"b"]"#)
        for event in [["ready", 1], ["connect"], [1], [], "x"] as [JSONValue] {
            #expect(throws: (any Error).self) { try OutboundPacket.event(event) }
        }
    }
}
