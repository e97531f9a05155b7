internal import Foundation
internal import JWTKit
package import NIOCore

/// The keys of an issuer, from a JSON Web Key Set (RFC 7517).
///
/// What is no key for one of the four algorithms, or for signatures, is left out, as RFC 7517 §5 has it; a set in which
/// nothing is left is refused.
package struct TokenKeySet: Sendable {
    package enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        case notAKeySet
        case noUsableKey
        case tooManyKeys
        case repeated(kid: String)

        package var description: String {
            switch self {
            case .notAKeySet: "it is not a JSON Web Key Set"
            case .noUsableKey: "it has no key for RS256, ES256, EdDSA or HS256"
            case .tooManyKeys: "it has more than \(TokenKeySet.largest) keys"
            case .repeated(let kid): "two keys have the kid \(kid)"
            }
        }
    }

    package static let largest = 64
    /// A shared secret is at least as long as the hash (RFC 7518 §3.2).
    private static let shortestSecret = 32

    private let keys: [TokenKey]
    /// Whether a shared secret is among them.
    package let hasSecrets: Bool

    package var count: Int { self.keys.count }

    /// - Parameter allowsSecrets: false for sets that anybody may read.
    package init(_ text: ByteBuffer, allowsSecrets: Bool) async throws(Refusal) {
        guard let value = try? JSONValue(text: text), case .array(let entries)? = value["keys"] else {
            throw .notAKeySet
        }
        guard entries.count <= Self.largest else { throw .tooManyKeys }
        var keys: [TokenKey] = []
        for entry in entries {
            guard let key = await Self.key(entry), allowsSecrets || key.algorithm != .hs256 else { continue }
            if let id = key.id, keys.contains(where: { $0.id == id }) { throw .repeated(kid: id) }
            keys.append(key)
        }
        guard !keys.isEmpty else { throw .noUsableKey }
        self.keys = keys
        self.hasSecrets = keys.contains { $0.algorithm == .hs256 }
    }

    enum Lookup {
        case found(TokenKey)
        /// There is such a key, for another algorithm.
        case otherAlgorithm
        case unknown
    }

    /// A `kid` names its key; without one there must be exactly one key that could be meant.
    func key(id: String?, algorithm: TokenKey.Algorithm) -> Lookup {
        if let id {
            guard let key = self.keys.first(where: { $0.id == id }) else { return .unknown }
            return key.algorithm == algorithm ? .found(key) : .otherAlgorithm
        }
        let meant = self.keys.filter { $0.algorithm == algorithm }
        guard let key = meant.first else { return .otherAlgorithm }
        return meant.count == 1 ? .found(key) : .unknown
    }

    private static func key(_ entry: JSONValue) async -> TokenKey? {
        guard self.isForSignatures(entry), let type = entry["kty"]?.string else { return nil }
        let id: String?
        switch entry["kid"] {
        case nil: id = nil
        case .string(let text)? where (1...256).contains(text.utf8.count): id = text
        default: return nil
        }
        guard let algorithm = self.algorithm(entry, type), let verifier = await self.verifier(entry, algorithm) else {
            return nil
        }
        return TokenKey(id: id, algorithm: algorithm, verifier: verifier)
    }

    private static func isForSignatures(_ entry: JSONValue) -> Bool {
        if let use = entry["use"], use != "sig" { return false }
        guard case .array(let operations)? = entry["key_ops"] else { return entry["key_ops"] == nil }
        return operations.contains("verify")
    }

    /// What the type of key is for; a stated `alg` must agree.
    private static func algorithm(_ entry: JSONValue, _ type: String) -> TokenKey.Algorithm? {
        let algorithm: TokenKey.Algorithm
        switch (type, entry["crv"]?.string) {
        case ("RSA", nil): algorithm = .rs256
        case ("EC", "P-256"): algorithm = .es256
        case ("OKP", "Ed25519"): algorithm = .eddsa
        case ("oct", nil): algorithm = .hs256
        default: return nil
        }
        if let stated = entry["alg"], stated != .string(algorithm.rawValue) { return nil }
        return algorithm
    }

    /// jwt-kit's verifier of one key; nil for a key that cannot be one, or is too weak.
    private static func verifier(_ entry: JSONValue, _ algorithm: TokenKey.Algorithm) async -> (any JWTAlgorithm)? {
        // A collection for one key: with several, the library falls back to another one where a `kid` is unknown.
        let keys = JWTKeyCollection()
        do {
            switch algorithm {
            case .rs256:
                guard let modulus = entry["n"]?.string, let exponent = entry["e"]?.string else { return nil }
                let key = try Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent)
                await keys.add(rsa: key, digestAlgorithm: .sha256)
            case .es256:
                guard let x = entry["x"]?.string, let y = entry["y"]?.string else { return nil }
                await keys.add(ecdsa: try ES256PublicKey(parameters: (x: x, y: y)))
            case .eddsa:
                guard let x = entry["x"]?.string else { return nil }
                await keys.add(eddsa: try EdDSA.PublicKey(x: x, curve: .ed25519))
            case .hs256:
                guard let text = entry["k"]?.string, let secret = Base64URLText.decode(text),
                    secret.count >= self.shortestSecret
                else { return nil }
                await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
            }
            return try await keys.getKey()
        } catch {
            return nil
        }
    }
}
