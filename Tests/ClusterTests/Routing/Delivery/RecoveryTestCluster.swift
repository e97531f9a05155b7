import NIOCore
import Routing
import Synchronization

/// Nodes in one process that share routes, a recovery log and a bus: the production dispatcher, tables and log, driven as
/// `Node` does it.
final class RecoveryTestCluster: Sendable {
    static let window: Int64 = 120

    let routes: any RouteStore
    let log: any RecoveryLog
    let hub = LoopbackHub()
    let directory = Directory()
    let nodes: [RecoveryTestNode]
    let alice = RouteKey(domain: "d", user: "alice-\(Base64URL.random128())")

    convenience init(nodes: Int, fault: StoreFault? = nil) throws {
        try self.init(
            nodes: nodes, routes: InMemoryRouteStore(fault: fault), log: InMemoryRecoveryLog(fault: fault))
    }

    /// - Parameter isOn: false: as a node is whose recovery is off.
    init(nodes: Int, routes: any RouteStore, log: any RecoveryLog, isOn: Bool = true) throws {
        self.routes = routes
        self.log = log
        let directory = self.directory
        var made: [RecoveryTestNode] = []
        for index in 0..<nodes {
            let node = try RecoveryTestNode(
                name: ["A", "B", "C"][index], routes: routes, log: isOn ? log : nil, hub: self.hub,
                directory: directory)
            directory.records.withLock { $0[node.id] = node.record }
            made.append(node)
        }
        self.nodes = made
    }

    /// Runs the nodes while `body` does.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in self.nodes {
                group.addTask { await node.adapter.run() }
                group.addTask { await node.dispatcher.run() }
                group.addTask { await node.rooms.run() }
            }
            try await body()
            group.cancelAll()
        }
        for node in self.nodes { try await node.group.shutdownGracefully() }
    }

    /// One change, as the committer of the node would bring it in.
    func commit(_ change: RouteChange, on node: NodeID) async throws -> RouteOutcome {
        let machine = RouteMachine(
            node: node, recovery: RouteRecovery(window: Self.window * 1000) { self.log.place(of: $0) })
        while true {
            do {
                let shard = self.routes.shard(of: self.alice)
                let found = try await self.routes.read([self.alice], shard: shard)[self.alice]
                let old = found ?? RouteDocument(key: self.alice)
                let step = machine.apply([change], to: old, now: RecoveryTestNode.clock.wallTime())
                if try await self.routes.write([RouteWrite(old: old, new: step.document)], shard: shard) == [
                    .committed
                ],
                    let outcome = step.outcomes.first
                {
                    return outcome
                }
            } catch {
                // Injected; a committer repeats it, too.
                await Task.yield()
            }
        }
    }

    final class Directory: NodeDirectory {
        let records = Mutex<[NodeID: NodeRecord]>([:])
        var all: [NodeRecord] { self.records.withLock { Array($0.values) } }
        func record(of node: NodeID) -> NodeRecord? { self.records.withLock { $0[node] } }
        func resolve(_ node: NodeID) async -> NodeRecord? { nil }
    }
}
