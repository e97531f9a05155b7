import NIOCore
import Testing

@testable import Node

/// The reply document of webhooks (SPEC RM-2): strict, so that its author learns of mistakes.
@Suite struct WebhookReplyTests {
    private static func reply(_ text: String) throws -> WebhookReply { try WebhookReply(ByteBuffer(string: text)) }

    @Test("Nothing at all is an empty reply; all members are taken")
    func good() throws {
        #expect(try Self.reply("").status == nil)
        #expect(try Self.reply("{}").content == nil)
        let reply = try Self.reply(
            #"""
            {"status": 201, "content": {"id": 7}, "events": [["made", 7], ["bare"]], "html": "<p>", "redirect": "/x",
             "agent": {"set": "active", "user": "alice", "client": "laptop", "remember": true}}
            """#)
        #expect(reply.status == 201)
        #expect(reply.content == ["id": 7])
        #expect(reply.events == [["made", 7], ["bare"]])
        #expect(reply.html == "<p>")
        #expect(reply.redirect == "/x")
        #expect(reply.agent == .init(standing: .active, user: "alice", client: "laptop", isRemembered: true))
        #expect(try Self.reply(#"{"agent": {"set": "logout", "client": "x"}}"#).agent?.client == "x")
    }

    @Test(
        "Anything else is refused, with what is wrong",
        arguments: [
            ("[]", "no object"), ("{", "not JSON"), (#"{"a": 1, "a": 2}"#, "not JSON"), (#"{"stauts": 200}"#, "stauts"),
            (#"{"status": 99}"#, "status"), (#"{"status": "200"}"#, "status"), (#"{"events": {}}"#, "events"),
            (#"{"events": [[1]]}"#, "event"), (#"{"events": ["x"]}"#, "event"), (#"{"html": 1}"#, "html"),
            (#"{"redirect": null}"#, "redirect"), (#"{"agent": {}}"#, "set"), (#"{"agent": {"set": "root"}}"#, "set"),
            (#"{"agent": {"set": "idle", "x": 1}}"#, "agent"),
            (#"{"agent": {"set": "active", "remember": 1}}"#, "remember"),
            (#"{"agent": {"set": "logout", "user": "x"}}"#, "logout"),
        ])
    func bad(text: String, words: String) {
        do {
            _ = try Self.reply(text)
            Issue.record("it was taken")
        } catch let failure as WebhookFailure {
            #expect("\(failure)".contains(words), "\(failure)")
        } catch {
            Issue.record(error)
        }
    }

    @Test("A decision says whether; allowed needs a user, and a doubtful one is none")
    func decisions() throws {
        func decision(_ text: String) throws -> LinkDecision { try LinkDecision(webhook: ByteBuffer(string: text)) }
        guard case .deny = try decision(#"{"allow": false}"#) else {
            Issue.record("not denied")
            return
        }
        let allowed = try decision(#"{"allow": true, "user": "bob", "client": "phone", "info": {"a": 1}}"#)
        guard case .allow(let user, let client, let info) = allowed else {
            Issue.record("not allowed")
            return
        }
        #expect(user == "bob")
        #expect(client == "phone")
        #expect(info == ["a": 1])
        for text in [
            "", "{}", #"{"allow": 1}"#, #"{"allow": "true", "user": "bob"}"#, #"{"allow": true}"#,
            #"{"allow": true, "user": 7}"#, #"{"allow": true, "user": "bob", "client": 1}"#,
            #"{"allow": true, "user": "bob", "device": "x"}"#,
        ] {
            #expect(throws: WebhookFailure.self, "\(text)") { try decision(text) }
        }
    }
}
