import NIOCore
import Routing
import Synchronization

/// The limits per client address of a node (SOCKETIO §18), for all its loops: sixteen ledgers with a lock each, held for
/// one look-up.
final class AddressLimits: Sendable {
    private final class Shard: Sendable {
        let ledger: Mutex<AddressLedger>

        init(_ limits: AddressLedger.Limits) { self.ledger = Mutex(AddressLedger(limits: limits)) }
    }

    private static let shardCount = 16

    private let shards: [Shard]
    private let nextSwept = Atomic<Int>(0)
    private let hasLimits: Atomic<Bool>

    init(_ limits: AddressLedger.Limits) {
        let share = Self.share(of: limits)
        self.shards = (0..<Self.shardCount).map { _ in Shard(share) }
        self.hasLimits = Atomic(!limits.isEmpty)
    }

    private static func share(of limits: AddressLedger.Limits) -> AddressLedger.Limits {
        var share = limits
        share.capacity = max(limits.capacity / Self.shardCount, 1)
        return share
    }

    /// Whether any client address is limited: else none needs to be counted.
    var isOn: Bool { self.hasLimits.load(ordering: .relaxed) }

    /// New limits, for sessions that are opened from now on. What was not counted until then stays so.
    func set(_ limits: AddressLedger.Limits) {
        let share = Self.share(of: limits)
        for shard in self.shards { shard.ledger.withLock { $0.limits = share } }
        self.hasLimits.store(!limits.isEmpty, ordering: .relaxed)
    }

    /// - Returns: the key that one ``close(_:hasJoined:)`` is owed for; `none` where the session is not counted.
    /// - Throws: the refusal, which has been counted against the rate.
    func open(_ key: AddressKey) throws(TransportRefusal) -> (key: AddressKey, isCounted: Bool) {
        switch self.shard(key).ledger.withLock({ $0.open(key, at: .now()) }) {
        case .admitted: return (key, true)
        case .uncounted: return (.none, false)
        case .tooManyHandshakes: throw .tooManyHandshakes
        case .tooManySessions: throw .tooManySockets
        case .tooManyUnjoined: throw .tooManyUnjoined
        }
    }

    func join(_ key: AddressKey) {
        guard key != .none else { return }
        self.shard(key).ledger.withLock { $0.join(key) }
    }

    func close(_ key: AddressKey, hasJoined: Bool) {
        guard key != .none else { return }
        self.shard(key).ledger.withLock { $0.close(key, hasJoined: hasJoined, at: .now()) }
    }

    /// Drops what is of no more use in one ledger, each time the next. Call about once a second.
    func sweep() {
        let index = self.nextSwept.add(1, ordering: .relaxed).oldValue % self.shards.count
        self.shards[index].ledger.withLock { $0.sweep(at: .now()) }
    }

    var count: Int { self.shards.reduce(0) { $0 + $1.ledger.withLock(\.count) } }

    private func shard(_ key: AddressKey) -> Shard {
        self.shards[Int(UInt(bitPattern: key.hashValue) % UInt(self.shards.count))]
    }
}
