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

    package private(set) var connectionCount = 0
    package var userCount: Int { self.users.count }

    package init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Adds a connection that is not ready yet: events for it wait in it (SPEC LC-5).
    /// - Returns: true for the user's first connection on this loop.
    package func join(_ connection: any LocalConnection, key: RouteKey, client: String) -> Bool {
        self.eventLoop.assertInEventLoop()
        precondition(!connection.place.isSeated, "a connection joins once")
        self.connectionCount += 1
        guard let first = self.users[key] else {
            let device = Device(key: key, client: client)
            device.seat(connection, isStreaming: false)
            self.users[key] = device
            return true
        }
        var device = first
        while device.client != client {
            guard let next = device.next else {
                let added = Device(key: key, client: client)
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

    /// Hands a packet to every connection of the user, or of one client of it.
    /// - Returns: how many connections it is for.
    package func deliver(_ packet: OutboundPacket, to key: RouteKey, client: String?) -> Int {
        self.eventLoop.assertInEventLoop()
        var reached = 0
        var device = self.users[key]
        while let current = device {
            device = current.next
            guard client == nil || client == current.client else { continue }
            reached += current.count
            if !current.streaming.isEmpty {
                if !current.isDirty { self.markDirty(current) }
                packet.writeFrames(into: &current.frames)
            }
            for connection in current.queueing { connection.enqueue(packet) }
        }
        return reached
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

    private func markDirty(_ device: Device) {
        device.isDirty = true
        device.frames.clear()
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
        for connection in device.streaming { connection.transmit(shared) }
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
