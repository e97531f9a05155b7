internal import Crypto

/// What a client gets over a socket whose action has changed its session, to fetch the cookies over HTTP (SPEC ID-17): 128 bits.
/// Never stored, never logged; ``hash`` is the key of the record, and what is stored there can only be opened with the ticket.
package struct SessionTicket: Sendable {
    private let bytes: [UInt8]

    package static func random() -> SessionTicket {
        var generator = SystemRandomNumberGenerator()
        return SessionTicket(bytes: (0..<16).map { _ in generator.next() })
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// - Returns: nil for any text that ``text`` would not produce: nothing is read then.
    package init?(_ text: String) {
        guard text.utf8.count == 22, let bytes = Base64URLText.decode(text), bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    package var text: String { Base64URLText.encode(self.bytes) }

    /// SHA-256: the key of the record.
    package var hash: [UInt8] { Array(SHA256.hash(data: self.bytes)) }

    /// Seals bytes under the ticket (ChaCha20-Poly1305).
    /// - Parameter context: what has to be the same for them to be opened.
    package func seal(_ bytes: [UInt8], for context: [UInt8]) throws -> [UInt8] {
        Array(try ChaChaPoly.seal(bytes, using: self.key, authenticating: context).combined)
    }

    /// - Returns: nil where anything differs from what was sealed.
    package func open(_ sealed: [UInt8], for context: [UInt8]) -> [UInt8]? {
        guard let box = try? ChaChaPoly.SealedBox(combined: sealed),
            let bytes = try? ChaChaPoly.open(box, using: self.key, authenticating: context)
        else { return nil }
        return Array(bytes)
    }

    /// Not to be had from ``hash``.
    private var key: SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: self.bytes), info: Array("submergence session ticket/v1".utf8),
            outputByteCount: 32)
    }
}

extension SessionTicket: CustomStringConvertible, CustomReflectable {
    package var description: String { "SessionTicket(withheld)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
