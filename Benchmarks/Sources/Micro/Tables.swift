import NIOCore
import NIOEmbedded
import Routing
import Wire

/// The connection table of one event loop.
enum Tables {
    static func figures() -> [Figure] {
        let loop = EmbeddedEventLoop()
        let table = ConnectionTable(eventLoop: loop)
        let node = NodeID.random()
        let keys = (0..<1000).map { RouteKey(domain: "example.com", user: "user-\($0)") }
        let residents = keys.map { key in
            let connection = Listener(socket: .random(on: node))
            _ = table.join(connection, key: key, client: "client")
            table.setStreaming(connection, true)
            return connection
        }
        let guest = Listener(socket: .random(on: node))
        var figures = [
            Figure("join and leave among 1,000 users") {
                precondition(table.join(guest, key: RouteKey(domain: "example.com", user: "guest"), client: "client"))
                precondition(table.leave(guest))
            }
        ]
        let packet = OutboundPacket(text: ByteBuffer(string: #"2["msg",[17,4711,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]]"#))
        let delivery = ConnectionIndex.Delivery(key: keys[500], client: nil, packet: packet)
        figures.append(
            Figure("deliver to a user with one tab") {
                precondition(table.deliver(delivery) == 1)
                loop.run()
            })
        let tabs = (0..<99).map { _ in
            let connection = Listener(socket: .random(on: node))
            _ = table.join(connection, key: keys[500], client: "client")
            table.setStreaming(connection, true)
            return connection
        }
        figures.append(
            Figure("deliver to a user with 100 tabs, a tab", batch: 100) {
                precondition(table.deliver(delivery) == 100)
                loop.run()
            })
        precondition((residents + tabs).contains { $0.transmissions > 0 })
        return figures
    }
}
