import Crypto
import CryptoExtras
import Foundation
import JWTKit
import NIOCore

@testable import Node

/// An identity provider of a test: signs whatever it is told to.
struct TokenForge {
    static let issuer = "https://id.example"
    static let audience = "submergence"
    static let now = NodeTestClock.start

    let secret = [UInt8](repeating: 7, count: 32)
    let rsa: JWTKit.Insecure.RSA.PrivateKey
    let es = P256.Signing.PrivateKey()
    let ed = Curve25519.Signing.PrivateKey()

    /// Made once: an RSA key takes its time.
    static let shared: TokenForge = {
        do {
            return try TokenForge()
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    private init() throws {
        self.rsa = try JWTKit.Insecure.RSA.PrivateKey(backing: _RSA.Signing.PrivateKey(keySize: .bits2048))
    }

    static let algorithms = ["HS256", "RS256", "ES256", "EdDSA"]

    /// A key set; each key has its algorithm as `kid`.
    func keySet(_ algorithms: [String] = TokenForge.algorithms, withIDs: Bool = true) throws -> String {
        let keys = try algorithms.map { name -> String in
            let id = withIDs ? "\"kid\":\"\(name)\"," : ""
            return "{\(id)\(try self.members(name)),\"use\":\"sig\",\"alg\":\"\(name)\"}"
        }
        return "{\"keys\":[\(keys.joined(separator: ","))]}"
    }

    func members(_ algorithm: String) throws -> String {
        switch algorithm {
        case "HS256": return "\"kty\":\"oct\",\"k\":\"\(Base64URLText.encode(self.secret))\""
        case "RS256":
            let (modulus, exponent) = try self.rsa.publicKey.getKeyPrimitives()
            return
                "\"kty\":\"RSA\",\"n\":\"\(Base64URLText.encode(modulus))\",\"e\":\"\(Base64URLText.encode(exponent))\""
        case "ES256":
            let point = self.es.publicKey.rawRepresentation
            return "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(Base64URLText.encode(point.prefix(32)))\","
                + "\"y\":\"\(Base64URLText.encode(point.suffix(32)))\""
        default:
            let point = self.ed.publicKey.rawRepresentation
            return "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"\(Base64URLText.encode(point))\""
        }
    }

    /// Claims that are in order.
    static func claims(_ change: (inout [String: JSONValue]) -> Void = { _ in }) -> [String: JSONValue] {
        var claims: [String: JSONValue] = [
            "iss": .string(Self.issuer), "aud": .string(Self.audience), "sub": "alice",
            "iat": .int(Self.now / 1_000), "exp": .int(Self.now / 1_000 + 600),
        ]
        change(&claims)
        return claims
    }

    /// A token.
    /// - Parameters:
    ///   - algorithm: what signs it.
    ///   - header: replaces members of `{alg, kid, typ}`.
    func token(
        _ claims: [String: JSONValue] = TokenForge.claims(), by algorithm: String = "ES256",
        header: [String: JSONValue] = [:]
    ) async throws -> String {
        var fields: [String: JSONValue] = ["alg": .string(algorithm), "kid": .string(algorithm), "typ": "JWT"]
        // `nil` in a literal of values is JSON's null: it takes the member away here.
        for (name, value) in header {
            if value == .null { fields.removeValue(forKey: name) } else { fields[name] = value }
        }
        return try await self.sign(Self.text(.object(fields)) + "." + Self.text(.object(claims)), by: algorithm)
    }

    func sign(_ message: String, by algorithm: String) async throws -> String {
        let bytes = Array(message.utf8)
        let signature: [UInt8]
        switch algorithm {
        case "HS256": signature = Self.hmac(bytes, self.secret)
        case "RS256":
            let keys = JWTKeyCollection()
            await keys.add(rsa: self.rsa, digestAlgorithm: .sha256)
            let signer = try await keys.getKey()
            signature = try signer.sign(bytes)
        case "ES256": signature = Array(try self.es.signature(for: bytes).rawRepresentation)
        default: signature = Array(try self.ed.signature(for: bytes))
        }
        return message + "." + Base64URLText.encode(signature)
    }

    static func hmac(_ message: [UInt8], _ secret: some ContiguousBytes) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: secret)))
    }

    static func text(_ value: JSONValue) -> String {
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        return Base64URLText.encode(buffer.readableBytesView)
    }
}
