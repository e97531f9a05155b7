import Crypto
import CryptoExtras
import Foundation
import NIOPosix
import Node
import Synchronization

/// What is kept of a password: a salt of its own, and what scrypt makes of both.
struct Password: Codable, Sendable, Equatable {
    let salt: Data
    let hash: Data
}

/// Makes and checks passwords, on threads of its own: a hash takes a core for a tenth of a second or more.
final class Passwords: Sendable {
    /// scrypt's N, r and p: 32 MiB and three passes, which OWASP's cheat sheet has among its minimal settings. They are the
    /// same for all accounts; whoever raises them keeps them beside each hash.
    static let rounds = 1 << 15
    static let blockSize = 8
    static let parallelism = 3
    /// Bytes.
    static let saltLength = 16
    static let hashLength = 32
    /// Hashes that run or wait; beyond it people are asked to come back.
    static let limit = 32

    private let pool = NIOThreadPool(numberOfThreads: 2)
    private let waiting = Atomic<Int>(0)

    init() {
        self.pool.start()
    }

    func make(_ text: String) async throws -> Password {
        var generator = SystemRandomNumberGenerator()
        let salt = Data((0..<Self.saltLength).map { _ in UInt8.random(in: 0...255, using: &generator) })
        let key = try await self.key(text, salt)
        return Password(salt: salt, hash: key.withUnsafeBytes { Data($0) })
    }

    /// - Parameter password: nil where there is no such account, which takes as long.
    func isRight(_ text: String, _ password: Password?) async throws -> Bool {
        let key = try await self.key(text, password?.salt ?? Data(count: Self.saltLength))
        guard let password else { return false }
        // Symmetric keys are compared in constant time.
        return key == SymmetricKey(data: password.hash)
    }

    func shutDown() async throws {
        try await self.pool.shutdownGracefully()
    }

    private func key(_ text: String, _ salt: Data) async throws -> SymmetricKey {
        guard self.waiting.add(1, ordering: .relaxed).newValue <= Self.limit else {
            self.waiting.subtract(1, ordering: .relaxed)
            throw ActionError(503, "BUSY")
        }
        defer { self.waiting.subtract(1, ordering: .relaxed) }
        return try await self.pool.runIfActive {
            try KDF.Scrypt.deriveKey(
                from: Array(text.utf8), salt: salt, outputByteCount: Self.hashLength, rounds: Self.rounds,
                blockSize: Self.blockSize, parallelism: Self.parallelism)
        }
    }
}
