package import NIOCore
package import Wire

/// The live connections of one event loop, by identity. Touch only from that loop.
///
/// Fan-out frames a packet once per device and tick; all streaming members of the device get the same buffer at the end
/// of the tick (`docs/architecture.md`, "Fan-out").
package final class ConnectionTable {
    private let eventLoop: any EventLoop
    private var users: [RouteKey: Device] = [:]
    private var dirty: [Device] = []
    private var draining: [Device] = []
    private var isDrainScheduled = false
    private let recovery: RecoveryTracking?
    private let broadcasts: BroadcastTrails?

    package private(set) var connectionCount = 0
    package var userCount: Int { self.users.count }

    /// - Parameters:
    ///   - recovery: nil while connection state recovery is off.
    ///   - broadcasts: what the loop is given of broadcasts; offsets tell that as well.
    package init(
        eventLoop: any EventLoop, recovery: RecoveryTracking? = nil, broadcasts: BroadcastTrails? = nil
    ) {
        self.eventLoop = eventLoop
        self.recovery = recovery
        self.broadcasts = broadcasts
    }

    /// Adds a connection that is not ready yet: events for it wait in it (SPEC LC-5).
    /// - Returns: true for the user's first connection on this loop.
    package func join(_ connection: any LocalConnection, key: RouteKey, client: String) -> Bool {
        self.eventLoop.assertInEventLoop()
        precondition(!connection.place.isSeated, "a connection joins once")
        self.connectionCount += 1
        guard let first = self.users[key] else {
            let device = self.makeDevice(key, client)
            device.seat(connection, isStreaming: false)
            self.users[key] = device
            return true
        }
        var device = first
        while device.client != client {
            guard let next = device.next else {
                let added = self.makeDevice(key, client)
                device.next = added
                added.seat(connection, isStreaming: false)
                return false
            }
            device = next
        }
        device.seat(connection, isStreaming: false)
        return false
    }

    /// Moves a connection between taking packets one by one and sharing frames (ready on WebSocket).
    package func setStreaming(_ connection: any LocalConnection, _ isStreaming: Bool) {
        self.eventLoop.assertInEventLoop()
        guard let device = connection.place.device, connection.place.isStreaming != isStreaming else { return }
        self.settle(device)
        device.unseat(connection)
        device.seat(connection, isStreaming: isStreaming)
    }

    /// - Returns: true when it was the user's last connection on this loop.
    package func leave(_ connection: any LocalConnection) -> Bool {
        self.eventLoop.assertInEventLoop()
        guard let device = connection.place.device else { return false }
        self.settle(device)
        device.unseat(connection)
        self.connectionCount -= 1
        guard device.isEmpty else { return false }
        return self.forget(device)
    }

    /// Hands a packet to every connection of the user, or of one client of it, or to one connection.
    /// - Returns: how many connections it is for.
    package func deliver(_ delivery: ConnectionIndex.Delivery) -> Int {
        self.eventLoop.assertInEventLoop()
        guard let tally = delivery.tally else { return self.hand(delivery) }
        // Whoever is there before: a slow one is closed by what it is handed, and has not got it.
        var devices: [(client: String, connections: [any LocalConnection])] = []
        var device = self.users[delivery.key]
        while let current = device {
            device = current.next
            guard delivery.client == nil || delivery.client == current.client else { continue }
            let chosen = (current.streaming + current.queueing).filter {
                delivery.socket == nil || $0.socket == delivery.socket
            }
            if !chosen.isEmpty { devices.append((current.client, chosen)) }
        }
        let reached = self.hand(delivery)
        // What may be dropped, or replaced, is not looked for: it may have been.
        let mayBeDropped = delivery.mode != .required
        // Frames go out behind this tick's I/O events, and answers to polls with them.
        self.eventLoop.assumeIsolated().execute {
            self.eventLoop.assumeIsolated().execute {
                tally.report(
                    devices.map { client, connections in
                        let written = mayBeDropped ? 0 : connections.count(where: \.hasWrittenAll)
                        return WrittenDevice(client: client, written: written, pending: connections.count - written)
                    })
            }
        }
        return reached
    }

    private func hand(_ delivery: ConnectionIndex.Delivery) -> Int {
        var reached = 0
        var device = self.users[delivery.key]
        while let current = device {
            device = current.next
            guard delivery.client == nil || delivery.client == current.client else { continue }
            if let socket = delivery.socket {
                reached += self.deliver(delivery, to: socket, of: current)
                continue
            }
            reached += current.count
            guard delivery.mode == .required else {
                self.settle(current)
                for connection in current.streaming { connection.offer(delivery.packet, delivery.mode) }
                for connection in current.queueing { connection.offer(delivery.packet, delivery.mode) }
                continue
            }
            var packet = delivery.packet
            var stamp: RecoveryStamp?
            if let trail = current.trail {
                if let mark = delivery.mark, !trail.raise(to: mark) { continue }
                packet = packet.appendingOffset(trail.offset)
                stamp = RecoveryStamp(mark: delivery.mark, stamped: packet)
            }
            if !current.streaming.isEmpty {
                if !current.isDirty { self.markDirty(current) }
                current.gather(packet)
            }
            // A copy of the list: a connection may take another seat.
            for connection in current.queueing { connection.enqueue(delivery.packet, stamp) }
        }
        return reached
    }

    /// Hands a packet to every connection of the user, or of one client of it.
    /// - Returns: how many connections it is for.
    package func deliver(_ packet: OutboundPacket, to key: RouteKey, client: String?) -> Int {
        self.deliver(ConnectionIndex.Delivery(key: key, client: client, packet: packet))
    }

    /// The others of the device have not been given it, but it was not for them: their position may pass it.
    private func deliver(_ delivery: ConnectionIndex.Delivery, to socket: SocketID, of device: Device) -> Int {
        let chosen = (device.streaming + device.queueing).filter { $0.socket == socket }
        guard !chosen.isEmpty else { return 0 }
        guard delivery.mode == .required else {
            self.settle(device)
            for connection in chosen { connection.offer(delivery.packet, delivery.mode) }
            return chosen.count
        }
        var stamp: RecoveryStamp?
        if let trail = device.trail {
            if let mark = delivery.mark, !trail.raise(to: mark) { return chosen.count }
            stamp = RecoveryStamp(mark: delivery.mark, stamped: delivery.packet.appendingOffset(trail.offset))
        }
        // What the tick has gathered for all of them was sent before.
        self.settle(device)
        for connection in chosen { connection.enqueue(delivery.packet, stamp) }
        return chosen.count
    }

    /// Whether the connection's device has been given everything that `gate` lets not pass any more, so that the
    /// connection may share its frames.
    package func hasCaughtUp(_ connection: any LocalConnection, with gate: RecoveryGate) -> Bool {
        guard let trail = connection.place.device?.trail else { return false }
        return gate.position.isCovered(by: trail.position)
    }

    /// The offset of the connection's device: for events that are for this connection alone and no send
    /// (SOCKETIO §14.1.3). nil while recovery is off.
    package func offset(for connection: any LocalConnection) -> ByteBuffer? {
        connection.place.device?.trail?.offset
    }

    /// The position of the connection's device; a recovered connection has been given that, too, once the packets that
    /// were enqueued for it have passed its gate. nil while recovery is off.
    package func position(for connection: any LocalConnection) -> RecoveryPosition? {
        connection.place.device?.trail?.position
    }

    /// Writes what this tick has gathered for the connection's device: before anything that is for it alone.
    package func settle(_ connection: any LocalConnection) {
        if let device = connection.place.device, device.isDirty { self.settle(device) }
    }

    /// The connections of a user, or of one client of it.
    package func connections(of key: RouteKey, client: String? = nil) -> [any LocalConnection] {
        self.eventLoop.assertInEventLoop()
        var found: [any LocalConnection] = []
        var device = self.users[key]
        while let current = device {
            device = current.next
            guard client == nil || client == current.client else { continue }
            found += current.streaming
            found += current.queueing
        }
        return found
    }

    /// Every connection of the loop: for what concerns all of them, which is rare.
    package var allConnections: [any LocalConnection] {
        self.eventLoop.assertInEventLoop()
        return self.users.keys.flatMap { self.connections(of: $0) }
    }

    private func makeDevice(_ key: RouteKey, _ client: String) -> Device {
        Device(
            key: key, client: client,
            trail: self.recovery.map {
                RecoveryTrail(tracking: $0, beside: self.broadcasts?.trail(of: key.domain))
            })
    }

    private func markDirty(_ device: Device) {
        device.isDirty = true
        device.beginGathering()
        self.dirty.append(device)
        guard !self.isDrainScheduled else { return }
        self.isDrainScheduled = true
        // Runs after the I/O events of this tick.
        self.eventLoop.assumeIsolated().execute { self.drain() }
    }

    private func drain() {
        self.isDrainScheduled = false
        // A failed write may publish again.
        swap(&self.dirty, &self.draining)
        for device in self.draining { self.settle(device) }
        self.draining.removeAll(keepingCapacity: true)
    }

    private func settle(_ device: Device) {
        guard device.isDirty else { return }
        device.isDirty = false
        let shared = NIOAny(device.frames)
        // A copy of the list: a write that fails closes its channel, which leaves the table.
        let (packets, bytes) = (device.packets, device.bytes)
        for connection in device.streaming { connection.transmit(shared, packets: packets, bytes: bytes) }
    }

    private func forget(_ device: Device) -> Bool {
        guard let first = self.users[device.key] else { return true }
        if first === device {
            guard let next = device.next else {
                self.users[device.key] = nil
                return true
            }
            self.users[device.key] = next
            return false
        }
        var previous = first
        while let next = previous.next {
            if next === device {
                previous.next = device.next
                return false
            }
            previous = next
        }
        return false
    }
}

@available(*, unavailable) extension ConnectionTable: Sendable {}
