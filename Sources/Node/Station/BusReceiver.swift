import Dispatch
import Logging
import Metrics
import Routing
import Wire

/// Hands what arrives from the bus to the connections of this node (DESIGN §3 "Receive"). Called on the adapter's thread,
/// which it holds up while the loops have enough to do: the inbox is the queue.
final class BusReceiver: ClusterReceiver {
    private let index: ConnectionIndex
    private let rooms: LateRooms
    private let tracer: Tracer?
    private let ledger: PostingLedger
    private let names: @Sendable (NodeID) -> String
    private let links: LateLinks
    private let revocations: @Sendable (BusMessage, NodeID) -> Void
    private let configurations: @Sendable (BusMessage) -> Void
    private let gaps: @Sendable (String) -> Void
    private let logger: Logger
    private let refusals = MessageRefusals()
    private let unknown = Counter(label: "submergence_bus_messages_unhandled_total")
    private let delivered = Counter(label: "submergence_bus_events_delivered_total")
    /// Batches that loops have not finished with.
    private let room = DispatchSemaphore(value: 64)

    /// - Parameters:
    ///   - names: of nodes, for traces.
    ///   - revocations: applies `invalidate` and `kick` messages, and takes the reports about them.
    ///   - configurations: takes notice of new configurations of domains.
    ///   - gaps: what a gap means for caches and sockets (SPEC ND-9).
    init(
        index: ConnectionIndex, rooms: LateRooms, links: LateLinks, tracer: Tracer?, ledger: PostingLedger,
        names: @escaping @Sendable (NodeID) -> String,
        revocations: @escaping @Sendable (BusMessage, NodeID) -> Void,
        configurations: @escaping @Sendable (BusMessage) -> Void,
        gaps: @escaping @Sendable (String) -> Void, logger: Logger
    ) {
        self.index = index
        self.rooms = rooms
        self.tracer = tracer
        self.ledger = ledger
        self.names = names
        self.links = links
        self.revocations = revocations
        self.configurations = configurations
        self.gaps = gaps
        self.logger = logger
    }

    func receive(_ messages: [BusMessage], from sender: NodeID) {
        var events: [ConnectionIndex.Delivery] = []
        for message in messages {
            switch message.kind {
            case .event:
                if let delivery = self.delivery(of: message, from: sender) { events.append(delivery) }
            case .kick, .invalidate:
                // What was sent before a kick is delivered before it.
                self.deliver(&events)
                if let order = Supersession(message) {
                    order.apply(to: self.index)
                } else {
                    self.revocations(message, sender)
                }
            case .ack where RevocationReport.isReport(message): self.revocations(message, sender)
            case .room, .ack:
                self.deliver(&events)
                self.handOver(message, from: sender)
            case .peer, .roster, .link:
                self.deliver(&events)
                self.passOn(message, from: sender)
            case .config: self.configurations(message)
            case .probe:
                // Of a newer neighbour: kinds that this version does not know are no harm (ND-6).
                self.unknown.increment()
            }
        }
        self.deliver(&events)
    }

    /// About a Link: to its parties.
    private func passOn(_ message: BusMessage, from sender: NodeID) {
        guard let broker = self.links.broker else { return self.unknown.increment() }
        self.room.wait()
        do throws(EnvelopeError) {
            try broker.receive(message, from: sender) { self.room.signal() }
        } catch {
            self.room.signal()
            self.refusals.count(error, in: message.kind, self.logger)
        }
    }

    private func handOver(_ message: BusMessage, from sender: NodeID) {
        guard let rooms = self.rooms.dispatcher else { return self.unknown.increment() }
        do throws(EnvelopeError) {
            if message.kind == .room {
                try rooms.receive(message, from: sender)
            } else {
                try rooms.receiveReply(message, from: sender)
            }
        } catch {
            self.refusals.count(error, in: message.kind, self.logger)
        }
    }

    func gap(_ reason: String) {
        self.logger.warning("messages of the bus were lost", metadata: ["reason": "\(reason)"])
        self.gaps(reason)
    }

    private func delivery(of message: BusMessage, from sender: NodeID) -> ConnectionIndex.Delivery? {
        guard let key = RouteKey(message.key) else {
            self.refusals.countNoKey()
            return nil
        }
        do throws(EnvelopeError) {
            let payload = try EventPayload.decode(message.payload)
            let tally = self.tally(of: message, for: sender)
            guard var delivery = ConnectionIndex.Delivery(payload, to: key, from: sender, tally: tally) else {
                self.refusals.countNoKey()
                return nil
            }
            return self.ledger.admit(&delivery, of: message) ? delivery : nil
        } catch {
            self.refusals.count(error, in: message.kind, self.logger)
            return nil
        }
    }

    /// Tells the sender what was written here, and writes it down, where this is asked for.
    private func tally(of message: BusMessage, for sender: NodeID) -> WrittenTally? {
        let request = EventConfirmation.request(of: message)
        let trace = self.tracer == nil ? nil : EventConfirmation.traced(message)
        guard request != nil || trace != nil else { return nil }
        let (rooms, tracer) = (self.rooms, self.tracer)
        if let trace { tracer?.note(trace.id, .read(from: self.names(sender))) }
        return WrittenTally { devices in
            if let trace {
                tracer?.note(trace, written: devices)
                if devices.isEmpty { tracer?.note(trace.id, .dropped("nobody whom it is for is here")) }
            }
            guard let request else { return }
            let reply = RoomReply(
                request: request, expected: UInt32(clamping: devices.count), items: devices.map(\.item))
            rooms.dispatcher?.reply(reply, to: sender)
        }
    }

    private func deliver(_ events: inout [ConnectionIndex.Delivery]) {
        guard !events.isEmpty else { return }
        self.delivered.increment(by: events.count)
        self.room.wait()
        self.index.deliver(events) { self.room.signal() }
        events.removeAll(keepingCapacity: true)
    }
}
