import NIOCore
import Routing
import Synchronization
import Wire

/// A client of the recovery tests: what it was given over all its connections, and its offset, as the official client keeps it.
final class RecoveryTestClient: Sendable {
    struct State {
        /// `sender number` of each event; "new" where it was told that it is not recovered, and "ready" once it has what came
        /// until its route was committed: that may be a part of what was sent before it was there.
        var history: [String] = []
        var offset: String?
        /// Only the connection of this number reaches the client: what others write is lost on the wire.
        var connection = 0
    }

    let state = Mutex(State())

    var log: [String] { self.state.withLock { $0.history.filter { $0 != "ready" } } }

    /// The wire is cut, whoever notices.
    func cut() { self.state.withLock { $0.connection += 1 } }

    func receive(_ text: String, on connection: Int) {
        self.state.withLock { state in
            guard connection == state.connection else { return }
            // 2["A",17,"offset"]
            let parts = text.dropFirst(2).dropLast().split(separator: ",").map { $0.filter { $0 != "\"" } }
            guard parts.count == 3 else { return state.history.append("no offset: \(text)") }
            state.history.append("\(parts[0]) \(parts[1])")
            state.offset = String(parts[2])
        }
    }
}

/// A connection as `Node` is to have it: it keeps what comes before its recovery is decided, then has a gate. Loop-bound.
final class RecoveryTestMember: LocalConnection, RoomMember, ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let prepared: SocketID
    var socket: SocketID
    var place = ConnectionPlace.nowhere
    var hasWrittenAll: Bool { true }
    private let client: RecoveryTestClient
    private let number: Int
    private unowned let table: ConnectionTable
    private var held: [(packet: OutboundPacket, stamp: RecoveryStamp?)]? = []
    private var gate: RecoveryGate?
    var roomTables: RoomTables?
    var rooms: [Room] = []
    var seat: Int32 = -1
    var randomPart: UInt128 { self.socket.random }
    var sid: String { self.socket.text }

    init(_ prepared: SocketID, client: RecoveryTestClient, table: ConnectionTable) {
        self.prepared = prepared
        self.socket = prepared
        self.client = client
        self.number = client.state.withLock { $0.connection }
        self.table = table
    }

    /// The connection is new: what came meanwhile goes first.
    func begin() {
        for (packet, stamp) in self.held ?? [] { self.write(stamp?.stamped ?? packet) }
        self.client.state.withLock { $0.history.append("ready") }
        self.held = nil
        self.roomTables?.add(self, to: RecoveryTestNode.scope)
        self.table.setStreaming(self, true)
    }

    func begin(as socket: SocketID, position: RecoveryPosition, history: RecoveryHistory, tracking: RecoveryTracking) {
        self.socket = socket
        var gate = RecoveryGate(position: position, tracking: tracking)
        for event in history.events {
            if let packet = gate.pass(event.packet, event.mark) { self.write(packet) }
        }
        for (packet, stamp) in self.held ?? [] {
            if let packet = gate.pass(packet, stamp?.mark) { self.write(packet) }
        }
        self.held = nil
        self.gate = gate
        self.dropGate()
    }

    // MARK: Rooms

    func enter(as socket: SocketID, _ rooms: [String]) throws {
        self.socket = socket
        self.roomTables?.add(self, to: RecoveryTestNode.scope)
        _ = try self.join(rooms)
    }

    func join(_ rooms: [String]) throws -> [String] {
        try self.roomTables?[RecoveryTestNode.scope]?.join(self, rooms, limits: RoomTable.Limits())
        return self.rooms.map(\.name)
    }

    /// Gone, or not recovered after all: what was broadcast to it is void.
    func leaveRooms() {
        if self.seat >= 0 { self.roomTables?.remove(self, from: RecoveryTestNode.scope) }
        if self.held != nil { self.held?.removeAll { $0.stamp?.mark?.stream.kind == .broadcast } }
    }

    func emit(_ packet: SharedPacket, _ delivery: Delivery, _ mark: RecoveryMark?) {
        let offset = self.table.offset(for: self) ?? ByteBuffer()
        self.table.settle(self)
        self.enqueue(
            packet.packet, RecoveryStamp(mark: mark, stamped: packet.packet.appendingOffset(offset)))
    }

    func emit(
        _ packet: SharedPacket, ackID id: Int64, until deadline: NIODeadline, answer: @escaping (AckAnswer) -> Void
    ) { answer(.none(.disconnected)) }

    func roomsChanged(_ done: @escaping @Sendable () -> Void) { done() }
    func disconnect(closes: Bool) {}
    func describe() -> ByteBuffer { ByteBuffer() }

    func transmit(_ frames: NIOAny, packets: Int, bytes: Int) {
        var bytes = self.unwrapInboundIn(frames)
        while let header = bytes.readBytes(length: 2) {
            let length = header[1] < 126 ? Int(header[1]) : Int(bytes.readInteger(as: UInt16.self) ?? 0)
            self.client.receive(String((bytes.readString(length: length) ?? "").dropFirst()), on: self.number)
        }
    }

    func enqueue(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
        if self.held != nil {
            self.held?.append((packet, stamp))
        } else if self.gate != nil {
            if let passed = self.gate?.pass(packet, stamp?.mark) { self.write(passed) }
            self.dropGate()
        } else {
            self.write(stamp?.stamped ?? packet)
        }
    }

    func offer(_ packet: OutboundPacket, _ mode: Delivery) {
        let offset = self.gate?.position.text ?? self.table.offset(for: self)
        if self.held == nil { self.write(offset.map { packet.appendingOffset($0) } ?? packet) }
    }

    func end(_ reason: LogoutReason) {}

    private func dropGate() {
        guard let gate = self.gate, self.table.hasCaughtUp(self, with: gate) else { return }
        self.gate = nil
        self.table.setStreaming(self, true)
    }

    private func write(_ packet: OutboundPacket) { self.client.receive(String(buffer: packet.text), on: self.number) }
}
