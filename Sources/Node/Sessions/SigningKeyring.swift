internal import Synchronization

/// The signing keys that hold at the moment: what rotates is replaced here, at once for everything that signs and verifies
/// (SPEC ID-2).
package final class SigningKeyring: Sendable {
    private let value: Mutex<SigningKeys>

    package init(_ keys: SigningKeys) {
        self.value = Mutex(keys)
    }

    package var current: SigningKeys { self.value.withLock { $0 } }

    /// - Returns: the IDs of keys that verify no more.
    package func replace(with keys: SigningKeys) -> Set<[UInt8]> {
        self.value.withLock { value in
            let removed = value.ids.subtracting(keys.ids)
            value = keys
            return removed
        }
    }
}
