internal import Crypto

/// What a browser holds: 32 random bytes (SPEC ID-1). Never stored, never logged; only ``hash`` leaves this type.
package struct SessionSecret: Sendable {
    private let bytes: [UInt8]

    private static let prefix = "v1."

    /// Whether a token is meant to be a session's secret, and not one of an identity provider.
    static func isMeant(by token: some StringProtocol) -> Bool {
        token.hasPrefix(self.prefix) && !token.dropFirst(3).contains(".")
    }

    /// The one in `Authorization: Bearer`, where there is exactly one.
    static func bearer(in headers: some HeaderView) -> String? {
        guard let value = headers.single("authorization") else { return nil }
        let parts = value.split(separator: " ")
        guard parts.count == 2, parts[0].lowercased() == "bearer", self.isMeant(by: parts[1]) else { return nil }
        return String(parts[1])
    }

    package static func random() -> SessionSecret {
        var generator = SystemRandomNumberGenerator()
        return SessionSecret(bytes: (0..<32).map { _ in generator.next() })
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// - Returns: nil for any value that ``text`` would not produce: the caller is a guest, without a database read.
    package init?(_ text: String) {
        guard text.utf8.count == 46, text.hasPrefix(Self.prefix), let bytes = Base64URLText.decode(text.dropFirst(3)),
            bytes.count == 32
        else { return nil }
        self.bytes = bytes
    }

    /// The secret that follows this one (SPEC ID-9): the same for everybody who knows this one, key and nonce.
    func successor(by key: SigningKeys.Key, nonce: [UInt8]) -> SessionSecret {
        SessionSecret(bytes: key.sign(SignedFields.message("renew/v1", self.bytes, nonce)))
    }

    /// The cookie's value.
    package var text: String { Self.prefix + Base64URLText.encode(self.bytes) }

    /// SHA-256: the key of the record.
    package var hash: [UInt8] { Array(SHA256.hash(data: self.bytes)) }
}

extension SessionSecret: CustomStringConvertible, CustomReflectable {
    package var description: String { "SessionSecret(withheld)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
