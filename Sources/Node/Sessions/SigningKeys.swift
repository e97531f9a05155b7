internal import Crypto
internal import Routing

/// The keys behind domestic tokens and renewals: the first signs, all verify, which is how they are rotated (SPEC
/// ID-2).
package struct SigningKeys: Sendable {
    /// Shortest key, in bytes (SPEC OP-1).
    package static let minimumLength = 32

    /// One key, with a name that says nothing of it.
    struct Key: Sendable {
        /// The first ``SessionRecord/Renewal/keyLength`` bytes of an HMAC over a constant.
        let id: [UInt8]
        private let key: SymmetricKey

        init(_ key: SymmetricKey) {
            self.key = key
            let code = HMAC<SHA256>.authenticationCode(for: SignedFields.message("key-id/v1"), using: key)
            self.id = Array(code.prefix(SessionRecord.Renewal.keyLength))
        }

        func sign(_ message: [UInt8]) -> [UInt8] {
            Array(HMAC<SHA256>.authenticationCode(for: message, using: self.key))
        }

        /// Compares in constant time.
        func verify(_ code: [UInt8], of message: [UInt8]) -> Bool {
            HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: message, using: self.key)
        }
    }

    private let keys: [Key]

    /// - Parameter keys: at least one, each of at least ``minimumLength`` bytes.
    package init(_ keys: [[UInt8]]) throws(SigningKeyError) {
        guard !keys.isEmpty else { throw .none }
        for (index, key) in keys.enumerated() {
            guard key.count >= Self.minimumLength else { throw .tooShort(line: index + 1) }
            guard !keys[..<index].contains(key) else { throw .repeated(line: index + 1) }
        }
        self.keys = keys.map { Key(SymmetricKey(data: $0)) }
    }

    private init(_ key: SymmetricKey) {
        self.keys = [Key(key)]
    }

    /// A key that only this process knows: for development.
    package static func generated() -> SigningKeys {
        SigningKeys(SymmetricKey(size: .bits256))
    }

    /// The one that signs.
    var first: Key { self.keys[0] }

    var ids: Set<[UInt8]> { Set(self.keys.map(\.id)) }

    func key(_ id: [UInt8]) -> Key? { self.keys.first { $0.id == id } }

    /// HMAC-SHA-256 with the first key.
    func sign(_ message: [UInt8]) -> [UInt8] { self.first.sign(message) }

    /// HMAC-SHA-256 with every key, the one that signs first.
    func signAll(_ message: [UInt8]) -> [[UInt8]] { self.keys.map { $0.sign(message) } }

    /// Compares in constant time, with every key.
    /// - Returns: the ID of the key that made the code; nil where it is wrong.
    func verify(_ code: [UInt8], of message: [UInt8]) -> [UInt8]? {
        var found: [UInt8]?
        for key in self.keys where key.verify(code, of: message) { found = key.id }
        return found
    }
}

extension SigningKeys: CustomStringConvertible, CustomReflectable {
    package var description: String { "SigningKeys(\(self.keys.count), withheld)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Why there are no usable signing keys; the words are for the person who starts the process.
package enum SigningKeyError: Error, Sendable, Equatable, CustomStringConvertible {
    case unreadable(path: String, why: String)
    /// Others than the owner may read or write it.
    case tooOpen(path: String, mode: String)
    case notAFile(path: String)
    case tooLarge(path: String)
    case malformed(line: Int)
    case tooShort(line: Int)
    case repeated(line: Int)
    case none

    package var description: String {
        switch self {
        case .unreadable(let path, let why): "the signing key file \(path) cannot be read: \(why)"
        case .tooOpen(let path, let mode):
            "the signing key file \(path) has mode \(mode): others may read it; chmod 0600 \(path)"
        case .notAFile(let path): "the signing key file \(path) is not a regular file"
        case .tooLarge(let path): "the signing key file \(path) has more than 64 KiB"
        case .malformed(let line): "signing key \(line) is not base64url without padding"
        case .tooShort(let line): "signing key \(line) has less than \(SigningKeys.minimumLength) bytes"
        case .repeated(let line): "signing key \(line) is there twice"
        case .none:
            "there is no signing key; put one base64url key of 32 bytes or more on each line of a file of mode 0600"
        }
    }
}
