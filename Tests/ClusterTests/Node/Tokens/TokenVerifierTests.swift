import JWTKit
import NIOCore
import Testing

@testable import Node

@Suite("Tokens of other identity providers")
struct TokenVerifierTests {
    private static let forge = TokenForge.shared

    private static func issuer(_ change: (inout TokenIssuer) -> Void = { _ in }) -> TokenIssuer {
        var issuer = TokenIssuer(issuer: TokenForge.issuer, audience: TokenForge.audience, keys: .text(""))
        change(&issuer)
        return issuer
    }

    private static func keys(_ text: String? = nil, allowsSecrets: Bool = true) async throws -> TokenKeySet {
        let text = try text ?? Self.forge.keySet()
        return try await TokenKeySet(ByteBuffer(string: text), allowsSecrets: allowsSecrets)
    }

    private static func verify(
        _ token: String, keys: TokenKeySet? = nil, issuer: TokenIssuer = TokenVerifierTests.issuer(),
        at now: Int64 = TokenForge.now
    ) async throws -> Result<VerifiedToken, TokenRefusal> {
        let held: TokenKeySet
        if let keys { held = keys } else { held = try await Self.keys() }
        do throws(TokenRefusal) {
            let parts = try TokenVerifier.parts(of: token, limit: issuer.maximumSize)
            return .success(try TokenVerifier(issuer: issuer, domain: "example.org").verify(parts, with: held, at: now))
        } catch {
            return .failure(error)
        }
    }

    @Test("Each of the four algorithms is taken, by a key that is for it", arguments: TokenForge.algorithms)
    func accepted(algorithm: String) async throws {
        let token = try await Self.forge.token(by: algorithm)
        let found = try await Self.verify(token).get()
        #expect((found.domain, found.user, found.client) == ("example.org", "alice", "token"))
        #expect(found.expires == Double(TokenForge.now / 1_000 + 600))
        #expect(found.warrant == Warrant(ask: TokenForge.now + 540_000, end: TokenForge.now + 630_000))
        // Without a kid it is the only key that is meant.
        let bare = try await Self.forge.token(by: algorithm, header: ["kid": nil])
        #expect(try await Self.verify(bare).get().user == "alice")
        let unnamed = try await Self.keys(Self.forge.keySet(withIDs: false))
        #expect(try await Self.verify(bare, keys: unnamed).get().user == "alice")
        #expect(try await Self.verify(token, keys: unnamed) == .failure(.unknownKey), "a kid names its key")
    }

    @Test(
        "A key verifies by its own algorithm only: whatever the header says, no other way in",
        arguments: TokenForge.algorithms)
    func confusion(key: String) async throws {
        for algorithm in TokenForge.algorithms where algorithm != key {
            let token = try await Self.forge.token(by: algorithm, header: ["kid": .string(key)])
            #expect(try await Self.verify(token) == .failure(.algorithm), "\(algorithm) with the key for \(key)")
            let lying = try await Self.forge.token(by: algorithm, header: ["kid": .string(key), "alg": .string(key)])
            #expect(try await Self.verify(lying) == .failure(.signature), "\(algorithm) that says it is \(key)")
        }
    }

    @Test("The public key is nobody's shared secret, in whatever form it is tried")
    func publicKeyAsSecret() async throws {
        let (modulus, _) = try Self.forge.rsa.publicKey.getKeyPrimitives()
        let pem = Self.forge.rsa.publicKey.pemRepresentation
        let keys = try await Self.keys(Self.forge.keySet(["RS256"]))
        let message =
            TokenForge.text(["alg": "HS256", "kid": "RS256", "typ": "JWT"]) + "."
            + TokenForge.text(.object(TokenForge.claims()))
        let set = try Self.forge.keySet(["RS256"])
        for secret in [Array(modulus), Array(pem.utf8), Array(set.utf8)] {
            let token = message + "." + Base64URLText.encode(TokenForge.hmac(Array(message.utf8), secret))
            #expect(try await Self.verify(token, keys: keys) == .failure(.algorithm))
        }
    }

    @Test(
        "`none`, in any spelling, and algorithms without a key here are nobody's",
        arguments: ["none", "None", "NONE", "", "RS384", "PS256", "HS512", "es256"])
    func none(algorithm: String) async throws {
        let message =
            TokenForge.text(["alg": .string(algorithm), "kid": "ES256"]) + "."
            + TokenForge.text(.object(TokenForge.claims()))
        #expect(try await Self.verify(message + ".") == .failure(.algorithm))
        #expect(try await Self.verify(message + ".AAAA") == .failure(.algorithm))
    }

    @Test("A signature belongs to its header and claims, and to its key")
    func signatures() async throws {
        for algorithm in TokenForge.algorithms {
            let token = try await Self.forge.token(by: algorithm)
            let parts = token.split(separator: ".").map(String.init)
            let signature = try #require(Base64URLText.decode(parts[2]))
            let other = TokenForge.text(.object(TokenForge.claims { $0["sub"] = "bob" }))
            let spelled = TokenForge.text(["alg": .string(algorithm), "kid": .string(algorithm), "typ": "jwt"])
            for forged in [
                "\(parts[0]).\(other).\(parts[2])", "\(spelled).\(parts[1]).\(parts[2])",
                "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1]).\(Base64URLText.encode(signature.dropLast()))",
                "\(parts[0]).\(parts[1]).\(Base64URLText.encode([UInt8](repeating: 0, count: 64)))",
            ] {
                #expect(try await Self.verify(forged) == .failure(.signature), "\(algorithm): \(forged)")
            }
        }
        let unknown = try await Self.forge.token(header: ["kid": "somebody's"])
        #expect(try await Self.verify(unknown) == .failure(.unknownKey))
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let refusal: TokenRefusal
        let claims: [String: JSONValue]

        init(_ name: String, _ refusal: TokenRefusal, _ change: (inout [String: JSONValue]) -> Void) {
            self.testDescription = name
            self.refusal = refusal
            self.claims = TokenForge.claims(change)
        }
    }

    private static let second = TokenForge.now / 1_000

    static let refused = [
        Refused("no issuer", .issuer) { $0["iss"] = nil },
        Refused("another issuer", .issuer) { $0["iss"] = "https://id.example/" },
        Refused("no audience", .audience) { $0["aud"] = nil },
        Refused("another audience", .audience) { $0["aud"] = "other" },
        Refused("other audiences", .audience) { $0["aud"] = ["other", "submergence2"] },
        Refused("an audience that is a number", .audience) { $0["aud"] = 1 },
        Refused("no expiry", .expired) { $0["exp"] = nil },
        Refused("an expiry that is text", .expired) { $0["exp"] = "never" },
        Refused("expired beyond the skew", .expired) { $0["exp"] = .int(second - 30) },
        Refused("issued ahead of the skew", .early) { $0["iat"] = .int(second + 31) },
        Refused("not valid yet", .early) { $0["nbf"] = .int(second + 31) },
        Refused("an iat that is text", .malformed) { $0["iat"] = "now" },
        Refused("an nbf that is text", .malformed) { $0["nbf"] = "now" },
        Refused("a life of more than a day", .lifetime) { $0["exp"] = .int(second + 86_401) },
        Refused("a life of more than a day, and no iat", .lifetime) { claims in
            claims["iat"] = nil
            claims["exp"] = .int(second + 86_401)
        },
        Refused("no subject", .identity) { $0["sub"] = nil },
        Refused("an empty subject", .identity) { $0["sub"] = "" },
        Refused("a subject with a control character", .identity) { $0["sub"] = "a\u{0}" },
        Refused("a subject of 129 bytes", .identity) { $0["sub"] = .string(String(repeating: "a", count: 129)) },
        Refused("a subject that is a number", .identity) { $0["sub"] = 7 },
    ]

    @Test("What is refused, and why", arguments: Self.refused)
    func refusals(refused: Refused) async throws {
        let token = try await Self.forge.token(refused.claims)
        #expect(try await Self.verify(token) == .failure(refused.refusal))
    }

    @Test("At the edges of the skew")
    func skew() async throws {
        func user(_ change: (inout [String: JSONValue]) -> Void) async throws -> String? {
            try? await Self.verify(Self.forge.token(TokenForge.claims(change))).get().user
        }
        #expect(try await user { $0["exp"] = .int(Self.second - 29) } == "alice")
        #expect(try await user { $0["iat"] = .int(Self.second + 30) } == "alice")
        #expect(try await user { $0["nbf"] = .int(Self.second + 30) } == "alice")
        #expect(try await user { $0["exp"] = .int(Self.second + 86_400) } == "alice")
        let strict = Self.issuer { $0.clockSkew = 0 }
        let token = try await Self.forge.token(TokenForge.claims { $0["exp"] = .int(Self.second) })
        #expect(try await Self.verify(token, issuer: strict) == .failure(.expired))
    }

    @Test("User and client come from the claims that the configuration names")
    func claims() async throws {
        let issuer = Self.issuer {
            $0.userClaim = "preferred_username"
            $0.client = .claim("azp")
        }
        let claims = TokenForge.claims {
            $0["preferred_username"] = "alice@example.org"
            $0["azp"] = "phone"
            $0["aud"] = ["other", .string(TokenForge.audience)]
        }
        let found = try await Self.verify(Self.forge.token(claims), issuer: issuer).get()
        #expect((found.user, found.client) == ("alice@example.org", "phone"))
        let without = TokenForge.claims { $0["preferred_username"] = "alice" }
        #expect(try await Self.verify(Self.forge.token(without), issuer: issuer) == .failure(.identity))
    }

    @Test("What is no token, to the letter")
    func malformed() async throws {
        let token = try await Self.forge.token()
        let parts = token.split(separator: ".").map(String.init)
        let twice = Base64URLText.encode(Array(#"{"alg":"none","alg":"ES256","kid":"ES256"}"#.utf8))
        let deep = Base64URLText.encode(Array((String(repeating: "[", count: 70)).utf8))
        for text in [
            "", ".", "..", "...", "a.b", token + ".", "." + token, token + "=",
            token.replacing(".", with: "..", maxReplacements: 1),
            "\(parts[0])=.\(parts[1]).\(parts[2])", "\(parts[0]) .\(parts[1]).\(parts[2])",
            "\(twice).\(parts[1]).\(parts[2])", "\(deep).\(parts[1]).\(parts[2])", "\(parts[1]).\(parts[0]).\u{E9}",
            "\(parts[0]).\(TokenForge.text(["a"])).\(parts[2])", "\(TokenForge.text("a")).\(parts[1]).\(parts[2])",
        ] {
            #expect(try await Self.verify(text) == .failure(.malformed), "\(text)")
        }
        let repeated = Base64URLText.encode(Array(#"{"sub":"alice","sub":"bob"}"#.utf8))
        let signed = try await Self.forge.sign("\(parts[0]).\(repeated)", by: "ES256")
        #expect(try await Self.verify(signed) == .failure(.malformed), "signed or not")
        for (header, refusal) in [
            (["crit": ["exp"]], .algorithm), (["b64": false], .algorithm), (["kid": 7], .malformed),
            (["typ": "JWE"], .malformed),
        ] as [([String: JSONValue], TokenRefusal)] {
            #expect(try await Self.verify(Self.forge.token(header: header)) == .failure(refusal), "\(header)")
        }
        #expect(try await Self.verify(Self.forge.token(header: ["typ": "at+JWT"])).get().user == "alice")
        let long = TokenForge.claims { $0["note"] = .string(String(repeating: "x", count: 8_192)) }
        #expect(try await Self.verify(Self.forge.token(long)) == .failure(.tooLarge))
    }

    @Test("A key set keeps what it can use; what is dangerous in it is left out or refuses the set")
    func keySets() async throws {
        let keys = try Self.forge.keySet()
        #expect(try await Self.keys(keys).count == 4)
        #expect(try await Self.keys(keys).hasSecrets)
        let published = try await Self.keys(keys, allowsSecrets: false)
        #expect(published.count == 3 && !published.hasSecrets, "what anybody may read is no secret")
        func count(_ entries: String...) async -> Int? {
            try? await Self.keys("{\"keys\":[\(entries.joined(separator: ","))]}").count
        }
        let (rsa, es, ed) = (
            try Self.forge.members("RS256"), try Self.forge.members("ES256"), try Self.forge.members("EdDSA")
        )
        #expect(await count("{\(rsa)}", "{\(es)}", "{\(ed)}") == 3, "alg may be left out: the kind of key says it")
        #expect(await count("{\(es)}", "{\(rsa),\"alg\":\"HS256\"}", "{\(rsa),\"alg\":\"RS512\"}") == 1)
        #expect(await count("{\(es)}", "{\(ed),\"use\":\"enc\"}", "{\(rsa),\"key_ops\":[\"encrypt\"]}") == 1)
        #expect(await count("{\(es),\"key_ops\":[\"verify\"]}") == 1)
        #expect(await count("{\"kty\":\"oct\",\"k\":\"AAAA\"}") == nil, "a secret of three bytes")
        #expect(
            await count(
                "{\"kty\":\"RSA\",\"n\":\"\(Base64URLText.encode([UInt8](repeating: 0xC1, count: 128)))\",\"e\":\"AQAB\"}"
            ) == nil, "1,024 bits")
        #expect(await count("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}") == nil)
        #expect(await count("{\(es),\"kid\":7}") == nil)
        #expect(await count() == nil)
        await #expect(throws: TokenKeySet.Refusal.repeated(kid: "a")) {
            try await Self.keys("{\"keys\":[{\(es),\"kid\":\"a\"},{\(ed),\"kid\":\"a\"}]}")
        }
        let many = Array(repeating: "{\(es)}", count: 65).joined(separator: ",")
        await #expect(throws: TokenKeySet.Refusal.tooManyKeys) { try await Self.keys("{\"keys\":[\(many)]}") }
        for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}"] {
            await #expect(throws: TokenKeySet.Refusal.self) { try await Self.keys(text) }
        }
        // Two keys of one kind and no kid: nothing says which.
        let two = try await Self.keys("{\"keys\":[{\(es)},{\(es)}]}")
        #expect(try await Self.verify(Self.forge.token(header: ["kid": nil]), keys: two) == .failure(.unknownKey))
    }

    @Test("Random changes of a good token never pass, and never crash")
    func fuzz() async throws {
        let keys = try await Self.keys()
        var random = SystemRandomNumberGenerator()
        for algorithm in TokenForge.algorithms {
            let token = Array(try await Self.forge.token(by: algorithm).utf8)
            for _ in 0..<300 {
                var bytes = token
                for _ in 0..<Int.random(in: 1...3) {
                    let index = Int.random(in: bytes.indices, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<7, using: &random)
                    case 1: bytes.remove(at: index)
                    default: bytes.insert(UInt8.random(in: 33...126, using: &random), at: index)
                    }
                }
                guard bytes != token else { continue }
                let found = try await Self.verify(String(decoding: bytes, as: UTF8.self), keys: keys)
                #expect(throws: TokenRefusal.self) { try found.get() }
            }
        }
    }
}
