package import NIOCore
import Wire

/// The room tables of all event loops of this node, for callers on any thread. What one thread hands in reaches each loop in
/// that order.
package final class RoomIndex: Sendable {
    package typealias Tables = NIOLoopBound<RoomTables>

    private let loops: [Tables]
    package let limits: RoomTable.Limits

    /// - Parameter loops: one per loop, each made on its own loop.
    package init(loops: [Tables], limits: RoomTable.Limits = RoomTable.Limits()) {
        precondition(!loops.isEmpty)
        self.loops = loops
        self.limits = limits
    }

    package var loopCount: Int { self.loops.count }

    /// Runs `body` with the tables of every loop.
    package func onEveryLoop(_ body: @escaping @Sendable (RoomTables) -> Void) {
        for tables in self.loops {
            if tables.eventLoop.inEventLoop {
                body(tables.value)
            } else {
                tables.eventLoop.execute { body(tables.value) }
            }
        }
    }

    /// Runs `body` on every loop, with the number of the loop; for a namespace without sockets there, with nil.
    package func onEveryLoop(_ scope: RoomScope, _ body: @escaping @Sendable (RoomTable?, _ loop: Int) -> Void) {
        for (number, tables) in self.loops.enumerated() {
            if tables.eventLoop.inEventLoop {
                body(tables.value[scope], number)
            } else {
                tables.eventLoop.execute { body(tables.value[scope], number) }
            }
        }
    }

    /// Runs `body` for each member of the target, loop by loop.
    /// - Parameter completion: gets how many they were, once, when all loops are done.
    package func forEach(
        _ target: RoomTarget, in scope: RoomScope, _ body: @escaping @Sendable (RoomTable, any RoomMember) -> Void,
        completion: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        let sum = LoopSum(parts: self.loops.count, completion: completion)
        self.onEveryLoop(scope) { table, _ in
            guard let table else { return sum.add(0) }
            let members = table.members(of: target)
            for member in members { body(table, member) }
            sum.add(members.count)
        }
    }
}
