package import NIOCore
import Synchronization
package import Wire

/// The connection tables of all event loops of this node, for callers on any thread.
package final class ConnectionIndex: Sendable {
    package typealias Table = NIOLoopBound<ConnectionTable>

    /// One bit per loop in a mask.
    package static let maximumLoops = 64

    private let tables: [Table]
    /// Which loops hold connections of a user; empty for a single loop, where the question does not arise.
    private let holders: [Holders]

    /// A part of the users, so that loops seldom wait for each other.
    private final class Holders: Sendable {
        let masks = Mutex<[RouteKey: UInt64]>([:])
    }

    /// - Parameter tables: one per loop, each made on its own loop.
    package init(tables: [Table]) {
        precondition((1...Self.maximumLoops).contains(tables.count))
        self.tables = tables
        self.holders = tables.count == 1 ? [] : (0..<64).map { _ in Holders() }
    }

    package var loopCount: Int { self.tables.count }

    /// The first connection of a user joined the loop's table, or the last one left it. Call from that loop, at once.
    /// - Returns: whether it was the first, or the last, on all loops.
    package func note(_ key: RouteKey, onLoop loop: Int, isHeld: Bool) -> Bool {
        guard !self.holders.isEmpty else { return true }
        return self.holders(of: key).masks.withLock { masks in
            let bit: UInt64 = 1 << UInt64(loop)
            let old = masks[key] ?? 0
            let mask = isHeld ? old | bit : old & ~bit
            masks[key] = mask == 0 ? nil : mask
            return (old == 0) != (mask == 0)
        }
    }

    /// One packet for the connections of a user.
    package struct Delivery: Sendable {
        package var key: RouteKey
        /// Only connections of this client; nil for all.
        package var client: String?
        /// Only this connection; nil for all.
        package var socket: SocketID?
        package var packet: OutboundPacket
        /// nil for an event that is not in the recovery log.
        package var mark: RecoveryMark?
        /// What becomes of it where a connection does not keep up.
        package var mode: Wire.Delivery
        /// Who wants to know what has been written; nil: nobody.
        package var tally: WrittenTally?

        package init(
            key: RouteKey, client: String?, socket: SocketID? = nil, packet: OutboundPacket,
            mark: RecoveryMark? = nil, mode: Wire.Delivery = .required, tally: WrittenTally? = nil
        ) {
            self.key = key
            self.client = client
            self.socket = socket
            self.packet = packet
            self.mark = mark
            self.mode = mode
            self.tally = tally
        }
    }

    /// Hands a packet to every connection on this node that it is for. Packets handed in by one thread arrive in that
    /// order.
    /// - Parameter completion: gets the number of connections found, on a loop or on the calling thread.
    package func deliver(_ delivery: Delivery, completion: @escaping @Sendable (Int) -> Void) {
        let mask = self.mask(of: delivery.key)
        delivery.tally?.expect(mask.nonzeroBitCount)
        self.visit(mask, { $0.deliver(delivery) }, completion: completion)
    }

    /// Hands over a batch that came from another node, in order: one hop per loop that it concerns.
    /// - Parameter completion: called once, when every loop has taken its part.
    package func deliver(_ batch: [Delivery], completion: @escaping @Sendable () -> Void) {
        var parts: [(table: Table, deliveries: [Delivery])] = []
        if self.tables.count == 1 {
            for delivery in batch { delivery.tally?.expect(1) }
            parts = [(self.tables[0], batch)]
        } else {
            var perLoop = [[Delivery]](repeating: [], count: self.tables.count)
            for delivery in batch {
                var mask = self.mask(of: delivery.key)
                delivery.tally?.expect(mask.nonzeroBitCount)
                while mask != 0 {
                    perLoop[mask.trailingZeroBitCount].append(delivery)
                    mask &= mask - 1
                }
            }
            parts = zip(self.tables, perLoop).filter { !$1.isEmpty }.map { ($0, $1) }
        }
        guard !parts.isEmpty else { return completion() }
        let sum = LoopSum(parts: parts.count) { _ in completion() }
        for (table, deliveries) in parts {
            self.run(on: table) { table in
                for delivery in deliveries { _ = table.deliver(delivery) }
                sum.add(deliveries.count)
            }
        }
    }

    /// Ends the connections of the user, or of one client of it (SPEC ID-14).
    package func end(
        _ key: RouteKey, client: String?, reason: LogoutReason, completion: @escaping @Sendable (Int) -> Void
    ) {
        self.visit(
            key,
            { table in
                let chosen = table.connections(of: key, client: client)
                for connection in chosen { connection.end(reason) }
                return chosen.count
            }, completion: completion)
    }

    /// Runs `body` on every loop that holds connections of the user, and adds up what it returns.
    package func visit(
        _ key: RouteKey, _ body: @escaping @Sendable (ConnectionTable) -> Int,
        completion: @escaping @Sendable (Int) -> Void
    ) {
        self.visit(self.mask(of: key), body, completion: completion)
    }

    private func visit(
        _ mask: UInt64, _ body: @escaping @Sendable (ConnectionTable) -> Int,
        completion: @escaping @Sendable (Int) -> Void
    ) {
        guard mask != 0 else { return completion(0) }
        if mask.nonzeroBitCount == 1 {
            return self.run(on: self.tables[mask.trailingZeroBitCount]) { completion(body($0)) }
        }
        let sum = LoopSum(parts: mask.nonzeroBitCount, completion: completion)
        for (loop, table) in self.tables.enumerated() where mask & (1 << UInt64(loop)) != 0 {
            self.run(on: table) { sum.add(body($0)) }
        }
    }

    /// Runs `body` on every loop: for batches that concern many users.
    package func onEveryLoop(_ body: @escaping @Sendable (ConnectionTable) -> Void) {
        for table in self.tables { self.run(on: table, body) }
    }

    private func run(on table: Table, _ body: @escaping @Sendable (ConnectionTable) -> Void) {
        if table.eventLoop.inEventLoop {
            body(table.value)
        } else {
            table.eventLoop.execute { body(table.value) }
        }
    }

    private func mask(of key: RouteKey) -> UInt64 {
        self.holders.isEmpty ? 1 : self.holders(of: key).masks.withLock { $0[key] ?? 0 }
    }

    private func holders(of key: RouteKey) -> Holders {
        self.holders[Int(UInt(bitPattern: key.hashValue) % UInt(self.holders.count))]
    }
}
