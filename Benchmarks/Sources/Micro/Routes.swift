import Routing

/// Transitions of route documents.
enum Routes {
    static func figures() -> [Figure] {
        let node = NodeID.random()
        let machine = RouteMachine(node: node)
        let now: Int64 = 1_700_000_000_000
        let empty = RouteDocument(key: RouteKey(domain: "example.com", user: "user"))
        func connection(_ index: UInt64) -> RouteDocument.Connection {
            RouteDocument.Connection(
                socket: SocketID(node: node, high: index, low: 1), node: node, client: "client", endpoint: "endpoint-\(index)",
                since: now)
        }
        let first = connection(1)
        let live = machine.apply([.connect(first)], to: empty, now: now).document
        let tabs = machine.apply((1...50).map { .connect(connection($0)) }, to: empty, now: now).document
        let next = connection(1000)
        return [
            Figure("connect, to an empty route") {
                precondition(machine.apply([.connect(first)], to: empty, now: now).isChanged)
            },
            Figure("connect, to a route with 50 tabs") {
                precondition(machine.apply([.connect(next)], to: tabs, now: now).isChanged)
            },
            Figure("disconnect the last connection") {
                let change = RouteChange.disconnect(first.socket, node: node)
                precondition(machine.apply([change], to: live, now: now).isChanged)
            },
        ]
    }
}
