import NIOCore
import NIOPosix
import Routing
import Synchronization
import Wire

/// One node of a ``RecoveryTestCluster``.
final class RecoveryTestNode: Sendable {
    static let clock = SystemClusterClock()

    let name: String
    let id = NodeID.random()
    let record: NodeRecord
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop: any EventLoop
    let table: NIOLoopBound<ConnectionTable>
    let index: ConnectionIndex
    let adapter: LoopbackClusterAdapter
    let dispatcher: EventDispatcher
    let tracking = RecoveryTracking(window: RecoveryTestCluster.window) { RecoveryTestNode.clock.wallTime() / 1000 }

    init(
        name: String, routes: any RouteStore, log: (any RecoveryLog)?, hub: LoopbackHub, directory: any NodeDirectory
    ) throws {
        self.name = name
        self.record = NodeRecord(id: self.id, name: nil, address: nil, started: 0, homes: [])
        let loop = self.group.next()
        self.loop = loop
        let tracking = self.tracking
        self.table = try loop.submit {
            NIOLoopBound(
                ConnectionTable(eventLoop: loop, recovery: log == nil ? nil : tracking), eventLoop: loop)
        }.wait()
        self.index = ConnectionIndex(tables: [self.table])
        self.adapter = hub.open(self.id, receiver: Receiver(index: self.index))
        self.dispatcher = EventDispatcher(
            node: self.id, index: self.index,
            remote: .init(routes: routes, adapter: self.adapter, directory: directory),
            recovery: log.map { RecoverySending(log: $0, clock: Self.clock) { Self.clock.wallTime() } })
    }

    func send(_ number: Int, to key: RouteKey) async -> SendReceipt {
        let packet = OutboundPacket(text: ByteBuffer(string: "2[\"\(self.name)\",\(number)]"))
        return await withCheckedContinuation { continuation in
            self.dispatcher.send(packet, to: key, client: nil) { continuation.resume(returning: $0) }
        }
    }

    private final class Receiver: ClusterReceiver {
        let index: ConnectionIndex
        init(index: ConnectionIndex) { self.index = index }

        func receive(_ messages: [BusMessage], from sender: NodeID) {
            let batch = messages.compactMap { message -> ConnectionIndex.Delivery? in
                guard message.kind == .event, let key = RouteKey(message.key),
                    let payload = try? EventPayload.decode(message.payload)
                else { return nil }
                return ConnectionIndex.Delivery(payload, to: key, from: sender)
            }
            self.index.deliver(batch) {}
        }

        func gap(_ reason: String) {}
    }
}
