/// The proof that a script runs with same-origin access to the domain (SPEC ID-2). Constant along a chain of renewals,
/// and says nothing of the secret.
package struct DomesticToken: Sendable {
    private let keys: SigningKeys

    package init(keys: SigningKeys) {
        self.keys = keys
    }

    package func text(domain: String, chain: [UInt8]) -> String {
        Base64URLText.encode(self.keys.sign(Self.message(domain: domain, chain: chain)))
    }

    /// Constant-time in what it compares.
    package func isRight(_ text: String, domain: String, chain: [UInt8]) -> Bool {
        self.key(of: text, domain: domain, chain: chain) != nil
    }

    /// The ID of the key that made the token; nil where it is wrong.
    package func key(of text: String, domain: String, chain: [UInt8]) -> [UInt8]? {
        guard text.utf8.count == 43, let code = Base64URLText.decode(text), code.count == 32 else { return nil }
        return self.keys.verify(code, of: Self.message(domain: domain, chain: chain))
    }

    private static func message(domain: String, chain: [UInt8]) -> [UInt8] {
        SignedFields.message("domestic/v1", Array(domain.utf8), chain)
    }
}

/// Fields of a signed message, each behind its length: no two lists of fields give the same bytes (SPEC ID-2).
enum SignedFields {
    static func message(_ purpose: StaticString, _ fields: [UInt8]...) -> [UInt8] { self.message(purpose, fields) }

    static func message(_ purpose: StaticString, _ fields: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in [Array(purpose.description.utf8)] + fields {
            withUnsafeBytes(of: UInt32(field.count).bigEndian) { bytes.append(contentsOf: $0) }
            bytes += field
        }
        return bytes
    }
}
