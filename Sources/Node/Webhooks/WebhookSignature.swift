internal import Crypto
internal import NIOCore

/// The signature of a request to a webhook: HMAC-SHA-256 over its `X-Submergence-*` fields and the digest of its body
/// (docs/webhooks.md, "Signature").
enum WebhookSignature {
    static let name = "x-submergence-signature"

    /// Stands for the digest of a body that is streamed.
    static let streamed = "streamed"

    /// - Returns: `ID=hex,ID=hex`, one signature for each secret.
    static func value(_ fields: [WebhookField], digest: String, by secrets: [WebhookSecret]) -> String {
        let text = Array(self.text(fields, digest: digest).utf8)
        return secrets.map { secret in
            let code = HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: secret.bytes))
            return secret.id + "=" + code.map(Hexadecimal.text).joined()
        }.joined(separator: ",")
    }

    /// What is signed: a line `name:value` for each field, the lines sorted by their bytes, then the digest.
    static func text(_ fields: [WebhookField], digest: String) -> String {
        let lines = fields.map { Array("\($0.name):\($0.value)".utf8) }
            .sorted { $0.lexicographicallyPrecedes($1) }
            .map { String(decoding: $0, as: UTF8.self) }
        return (lines + [digest]).joined(separator: "\n")
    }

    static func digest(_ body: ByteBuffer) -> String {
        SHA256.hash(data: body.readableBytesView).map(Hexadecimal.text).joined()
    }
}
