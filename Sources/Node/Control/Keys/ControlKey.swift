internal import Crypto

/// A key of the control API as it is kept: its secret only as a hash (SPEC RM-1).
package struct ControlKey: Sendable, Equatable {
    /// What stands in the audit log.
    package let name: String
    /// nil: every domain.
    package let domain: String?
    package let scopes: Set<ControlScope>
    /// SHA-256 of the secret. A secret has 256 random bits, so nothing slower is called for.
    let digest: [UInt8]

    static let prefix = "smk_"
    static let longestName = 64

    /// A new key, and the secret that only its holder will know.
    /// - Returns: nil for a name that is not 1 to 64 letters, digits, `.`, `_` and `-`, or without a scope.
    package static func make(
        name: String, domain: String?, scopes: Set<ControlScope>
    ) -> (key: ControlKey, secret: String)? {
        guard self.isName(name), !scopes.isEmpty else { return nil }
        var generator = SystemRandomNumberGenerator()
        let secret =
            self.prefix + Base64URLText.encode((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
        return (ControlKey(name: name, domain: domain, scopes: scopes, digest: self.digest(of: secret)), secret)
    }

    private init(name: String, domain: String?, scopes: Set<ControlScope>, digest: [UInt8]) {
        self.name = name
        self.domain = domain
        self.scopes = scopes
        self.digest = digest
    }

    /// - Parameter line: of a key file, as ``line`` writes it.
    init(line: some StringProtocol) throws(ControlKeyError) {
        let parts = line.split(whereSeparator: \.isWhitespace)
        guard parts.count == 4 else {
            throw .malformed("it has \(parts.count) words in place of name, domain, scopes, hash")
        }
        guard Self.isName(parts[0]) else {
            throw .malformed("its name is not 1 to 64 letters, digits, '.', '_' or '-'")
        }
        var scopes: Set<ControlScope> = []
        for word in parts[2].split(separator: ",") {
            guard let scope = ControlScope(rawValue: String(word)) else {
                let known = ControlScope.allCases.map(\.rawValue).joined(separator: ", ")
                throw .malformed("\"\(word)\" is no scope: it takes \(known)")
            }
            scopes.insert(scope)
        }
        guard let digest = Base64URLText.decode(parts[3]), digest.count == SHA256.byteCount else {
            throw .malformed("its last word is no hash: `submergence keys create` makes lines like this")
        }
        self.init(
            name: String(parts[0]), domain: parts[1] == "*" ? nil : String(parts[1]), scopes: scopes, digest: digest)
    }

    var line: String {
        let scopes = ControlScope.allCases.filter { self.scopes.contains($0) }.map(\.rawValue)
        return [self.name, self.domain ?? "*", scopes.joined(separator: ","), Base64URLText.encode(self.digest)]
            .joined(separator: " ")
    }

    static func digest(of secret: String) -> [UInt8] { Array(SHA256.hash(data: Array(secret.utf8))) }

    private static func isName(_ text: some StringProtocol) -> Bool {
        (1...self.longestName).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
