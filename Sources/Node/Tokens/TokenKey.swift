internal import Foundation
internal import JWTKit

/// A key that verifies tokens, for its one algorithm.
struct TokenKey: Sendable {
    enum Algorithm: String, Sendable, CaseIterable {
        case hs256 = "HS256"
        case rs256 = "RS256"
        case es256 = "ES256"
        case eddsa = "EdDSA"
    }

    /// `kid`.
    let id: String?
    let algorithm: Algorithm
    private let verifier: any JWTAlgorithm

    init(id: String?, algorithm: Algorithm, verifier: any JWTAlgorithm) {
        self.id = id
        self.algorithm = algorithm
        self.verifier = verifier
    }

    func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        // The library throws for signatures that cannot even be read.
        (try? self.verifier.verify(signature, signs: message)) ?? false
    }
}
