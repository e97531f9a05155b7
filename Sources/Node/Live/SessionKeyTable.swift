import Synchronization

/// The sessions of a node that began on WebSocket, by ID. Nobody needs to reach them, only to know that they are there:
/// 16 bytes each, and the empty places of a hash table.
final class SessionKeyTable: Sendable {
    private let parts = (0..<16).map { _ in Part() }

    private final class Part: Sendable {
        let keys = Mutex<Set<SessionKey>>([])
    }

    private func part(of key: SessionKey) -> Part {
        self.parts[Int(UInt(bitPattern: key.hashValue) >> 8 & 15)]
    }

    func insert(_ key: SessionKey) {
        self.part(of: key).keys.withLock { _ = $0.insert(key) }
    }

    func remove(_ key: SessionKey) {
        self.part(of: key).keys.withLock { _ = $0.remove(key) }
    }

    func contains(_ key: SessionKey) -> Bool {
        self.part(of: key).keys.withLock { $0.contains(key) }
    }
}
