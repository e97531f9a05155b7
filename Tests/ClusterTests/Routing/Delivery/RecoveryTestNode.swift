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
    let roomTables: NIOLoopBound<RoomTables>
    let index: ConnectionIndex
    let rooms: RoomDispatcher
    let adapter: LoopbackClusterAdapter
    let dispatcher: EventDispatcher
    let tracking = RecoveryTracking(window: RecoveryTestCluster.window) { RecoveryTestNode.clock.wallTime() / 1000 }

    init(
        name: String, routes: any RouteStore, log: (any RecoveryLog)?, hub: LoopbackHub,
        directory: RecoveryTestCluster.Directory
    ) throws {
        self.name = name
        self.record = NodeRecord(id: self.id, name: nil, address: nil, started: 0, homes: [])
        let loop = self.group.next()
        self.loop = loop
        let tracking = self.tracking
        let isOn = log != nil
        (self.table, self.roomTables) = try loop.submit {
            let broadcasts = isOn ? BroadcastTrails(tracking: tracking) : nil
            let table = ConnectionTable(
                eventLoop: loop, recovery: isOn ? tracking : nil, broadcasts: broadcasts)
            return (
                NIOLoopBound(table, eventLoop: loop),
                NIOLoopBound(RoomTables(broadcasts: broadcasts), eventLoop: loop)
            )
        }.wait()
        self.index = ConnectionIndex(tables: [self.table])
        let ledger = PostingLedger()
        let receiver = Receiver(index: self.index, ledger: ledger)
        self.adapter = hub.open(self.id, receiver: receiver)
        let sending = log.map { RecoverySending(log: $0, clock: Self.clock) { Self.clock.wallTime() } }
        self.rooms = RoomDispatcher(
            node: self.id, index: RoomIndex(loops: [self.roomTables]), ackIDs: AckIDs(),
            remote: .init(
                adapter: self.adapter, directory: directory, freshNodes: { directory.all },
                knownNodes: { directory.all }),
            recovery: sending
        ) { _, _, _, answer in answer(nil) }
        receiver.rooms.withLock { [rooms] in $0 = rooms }
        self.dispatcher = EventDispatcher(
            node: self.id, index: self.index,
            remote: .init(routes: routes, adapter: self.adapter, directory: directory),
            recovery: sending, ledger: ledger)
    }

    /// - Parameter posting: as for an event of the outbox.
    func send(_ number: Int, to key: RouteKey, posting: PostingMark? = nil) async -> SendReceipt {
        let packet = OutboundPacket(text: ByteBuffer(string: "2[\"\(self.name)\",\(number)]"))
        return await withCheckedContinuation { continuation in
            self.dispatcher.send(packet, to: key, client: nil, posting: posting) { continuation.resume(returning: $0) }
        }
    }

    /// `/` of the domain, which all rooms of these tests are in.
    static let scope = RoomScope(domain: "d", namespace: "/")

    @discardableResult
    func broadcast(_ number: Int, to rooms: [String] = [], except: [String] = []) async -> RoomReceipt {
        let packet = OutboundPacket(text: ByteBuffer(string: "2[\"\(self.name)b\",\(number)]"))
        return await withCheckedContinuation { continuation in
            self.rooms.emit(packet, to: RoomTarget(rooms: rooms, except: except), in: Self.scope) {
                continuation.resume(returning: $0)
            }
        }
    }

    private final class Receiver: ClusterReceiver {
        let index: ConnectionIndex
        let rooms = Mutex<RoomDispatcher?>(nil)
        private let ledger: PostingLedger

        init(index: ConnectionIndex, ledger: PostingLedger) {
            self.index = index
            self.ledger = ledger
        }

        func receive(_ messages: [BusMessage], from sender: NodeID) {
            let batch = messages.compactMap { message -> ConnectionIndex.Delivery? in
                guard message.kind == .event, let key = RouteKey(message.key),
                    let payload = try? EventPayload.decode(message.payload),
                    var delivery = ConnectionIndex.Delivery(payload, to: key, from: sender)
                else { return nil }
                return self.ledger.admit(&delivery, of: message) ? delivery : nil
            }
            self.index.deliver(batch) {}
            let rooms = self.rooms.withLock { $0 }
            for message in messages where message.kind == .room {
                do { try rooms?.receive(message, from: sender) } catch { preconditionFailure("\(error)") }
            }
        }

        func gap(_ reason: String) {}
    }
}
