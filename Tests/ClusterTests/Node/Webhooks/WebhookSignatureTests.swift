import Foundation
import NIOCore
import Testing

@testable import Node

/// The signature of webhooks (SPEC RM-2): the vectors stand in docs/webhooks.md, made by Python.
@Suite struct WebhookSignatureTests {
    private static let first = "whsec-0123456789abcdefghijklmnopqrstuv"
    private static let second = "the-other-secret-of-at-least-32-characters"
    private static let fields = [
        WebhookField("version", "1"), WebhookField("kind", "presence"), WebhookField("domain", "app.example"),
        WebhookField("request", "AAECAwQFBgcICQoLDA0ODw"), WebhookField("active", "true"),
        WebhookField("domestic", "false"), WebhookField("user", "jürgen x"), WebhookField("user-agent", "z"),
        WebhookField("timestamp", "1800000000"),
    ]
    private static let digest = "6f9871d8dcd6b9cdb8aaec00fb225c83dc3467e8f8492fe8825dab0c08e7b16b"

    @Test("What is signed are the sorted lines of the fields and the digest")
    func text() {
        #expect(WebhookSignature.digest(ByteBuffer(string: #"{"change":"userOnline"}"#)) == Self.digest)
        #expect(
            WebhookSignature.text(Self.fields.reversed(), digest: Self.digest) == """
                x-submergence-active:true
                x-submergence-domain:app.example
                x-submergence-domestic:false
                x-submergence-kind:presence
                x-submergence-request:AAECAwQFBgcICQoLDA0ODw
                x-submergence-timestamp:1800000000
                x-submergence-user-agent:z
                x-submergence-user:j%C3%BCrgen%20x
                x-submergence-version:1
                \(Self.digest)
                """)
    }

    @Test("Each secret signs, under its own name")
    func vectors() throws {
        let secrets = try WebhookSecret.load(.values([Self.first, Self.second]))
        #expect(
            WebhookSignature.value(Self.fields, digest: Self.digest, by: secrets)
                == "a6e890fc=a2dc3b26de868700d816ec4b57d5c0794910e71ce6fb5745a2d991ce0daf051d,"
                + "736ac7c8=bffa8a2c0300e3f22f9b561fc83ae4753793e472c954e78cc355e7249374dd1c")
    }

    @Test("Secrets come from a file of their owner's alone, or the environment, and are long enough")
    func secrets() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "hooks-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func load(_ text: String, mode: Int = 0o600) throws -> [String] {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            return try WebhookSecret.load(.file(path)).map(\.id)
        }
        #expect(try load("# made in May\n\n\(Self.first)\n") == ["a6e890fc"])
        #expect(try load("\(Self.first)\n\(Self.second)\n") == ["a6e890fc", "736ac7c8"])
        for text in [
            "", "short\n", "\(Self.first) x\n", "\(Self.first)\n\(Self.first)\n",
            "\(Self.first)\n\(Self.second)\n\(Self.first)2\n",
        ] {
            #expect(throws: WebhookSecret.Unusable.self, "\(text)") { try load(text) }
        }
        #expect(throws: WebhookSecret.Unusable.self) { try load(Self.first, mode: 0o644) }
        #expect(throws: WebhookSecret.Unusable.self) { try WebhookSecret.load(.environment("NO_SUCH_VARIABLE_HERE")) }
        #expect(try WebhookSecret.load(.none) == [])
    }
}
