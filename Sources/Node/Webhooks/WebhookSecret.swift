internal import Crypto
internal import Foundation

/// What requests to webhooks are signed by (SPEC RM-2).
struct WebhookSecret: Sendable, Equatable {
    struct Unusable: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    static let lengths = 32...1_024
    static let most = 2

    /// Says which secret a signature is by, and nothing about it: 8 hexadecimal digits of its SHA-256.
    let id: String
    let bytes: [UInt8]

    /// - Returns: nil for what is too short, too long, or not printable ASCII.
    init?(_ text: some StringProtocol) {
        guard Self.lengths.contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        self.bytes = Array(text.utf8)
        self.id = SHA256.hash(data: self.bytes).prefix(4).map(Hexadecimal.text).joined()
    }

    /// - Returns: in their order, which is that of the signatures.
    static func load(_ source: WebhookOptions.Secrets) throws(Unusable) -> [WebhookSecret] {
        switch source {
        case .none: return []
        case .values(let texts): return try self.checked(texts.map { $0[...] })
        case .environment(let name):
            guard let text = ProcessInfo.processInfo.environment[name] else {
                throw Unusable(description: "the environment has no \(name)")
            }
            return try self.checked(text.split(whereSeparator: \.isWhitespace))
        case .file(let path):
            let text: String
            do {
                text = try SecretFile.text(of: path, largest: 65_536)
            } catch {
                throw Unusable(description: error.description)
            }
            return try self.checked(
                text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) })
        }
    }

    private static func checked(_ texts: [Substring]) throws(Unusable) -> [WebhookSecret] {
        guard (1...self.most).contains(texts.count) else {
            throw Unusable(description: "there must be one secret, or two while one replaces the other")
        }
        var secrets: [WebhookSecret] = []
        for text in texts {
            guard let secret = WebhookSecret(text) else {
                throw Unusable(description: "a secret has 32 to 1,024 printable characters without spaces")
            }
            guard !secrets.contains(secret) else { throw Unusable(description: "the two secrets are the same") }
            secrets.append(secret)
        }
        return secrets
    }
}
