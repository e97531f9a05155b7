package import NIOCore

/// Decides about the namespaces of one Engine.IO session, and puts binary packets together (SOCKETIO §10, §11). A
/// session that only joins `/` allocates nothing.
package struct SocketSession {
    private enum State: UInt8 { case free, pending, connected }

    private struct Joined {
        let name: String
        var state: State
    }

    private var root = State.free
    private var isEnded = false
    /// What was wrong with the packet that closed the session, where it was one.
    package private(set) var fault: SocketPacketError?
    /// The namespaces besides `/`, at their slot's number less one.
    private var others: [Joined] = []
    private var assembler = AttachmentAssembler()
    private var connectDeadline: NIODeadline

    /// - Parameter now: when the Engine.IO session opened.
    package init(at now: NIODeadline, options: SocketOptions) {
        self.connectDeadline = now + options.connectTimeout
    }

    /// The namespaces that are connected, `/` first.
    package var connected: [NamespaceSlot] {
        var slots: [NamespaceSlot] = self.root == .connected ? [.root] : []
        for (index, other) in self.others.enumerated() where other.state == .connected {
            slots.append(NamespaceSlot(rawValue: UInt8(index + 1)))
        }
        return slots
    }

    package func isConnected(_ slot: NamespaceSlot) -> Bool { self.state(slot) == .connected }

    package func isPending(_ slot: NamespaceSlot) -> Bool { self.state(slot) == .pending }

    package func name(of slot: NamespaceSlot) -> String {
        slot == .root ? "/" : self.others[Int(slot.rawValue) - 1].name
    }

    /// The text of a message (without Engine.IO's `4`).
    package mutating func receive(
        text: UnsafeRawBufferPointer, at now: NIODeadline, options: SocketOptions
    ) -> SocketAction {
        guard !self.isEnded else { return .none }
        guard !self.assembler.isPending else { return self.close(.parseError) }
        let packet: SocketPacket
        do {
            packet = try SocketPacketParser.parse(text, options: options)
        } catch {
            self.fault = error
            if options.answersMalformedActions, self.root == .connected,
                let head = ActionHead(text, error)
            {
                return .malformedAction(ackID: head.ackID)
            }
            return self.close(.parseError)
        }
        let found = self.slot(of: packet, in: text)
        switch packet.kind {
        case .connect: return self.connect(packet, found, in: text, options: options)
        case .connectError: return self.close(.parseError)
        case .disconnect, .event, .binaryEvent, .ack, .binaryAck: break
        }
        guard let slot = found, self.state(slot) == .connected else { return self.close(.forcedServerClose) }
        switch packet.kind {
        case .disconnect:
            self.free(slot, at: now, options: options)
            return .left(slot)
        case .event, .binaryEvent, .ack, .binaryAck:
            if packet.attachmentCount > 0 {
                self.assembler.begin(packet, text: text, at: now, options: options)
                return .none
            }
            return packet.kind == .event || packet.kind == .binaryEvent ? .event(slot, packet) : .ack(slot, packet)
        case .connect, .connectError: preconditionFailure("answered above")
        }
    }

    /// A binary message.
    package mutating func receive(binary: UnsafeRawBufferPointer, options: SocketOptions) -> SocketAction {
        guard !self.isEnded else { return .none }
        do {
            guard let attached = try self.assembler.receive(binary, options: options) else { return .none }
            let slot = attached.text.withUnsafeReadableBytes { self.slot(of: attached.packet, in: $0) }
            // The server may have left the namespace while attachments were under way: drop what was meant for it.
            guard let slot, self.state(slot) == .connected else { return .none }
            return .attached(slot, attached)
        } catch {
            self.fault = error
            return self.close(.parseError)
        }
    }

    /// The application lets the client in: send CONNECT, then anything else (SOCKETIO §11.7).
    ///
    /// - Returns: false where nobody waits any more: drop the socket silently (SOCKETIO §11.6).
    package mutating func accept(_ slot: NamespaceSlot) -> Bool {
        guard !self.isEnded, self.state(slot) == .pending else { return false }
        self.set(slot, .connected)
        return true
    }

    /// The application does not: send CONNECT_ERROR. The session stays open, until the connect deadline if it has no
    /// other namespace.
    ///
    /// - Returns: false where nobody waits any more.
    package mutating func refuse(_ slot: NamespaceSlot) -> Bool {
        guard !self.isEnded, self.state(slot) == .pending else { return false }
        self.set(slot, .free)
        return true
    }

    /// The server disconnects the client from a namespace: send DISCONNECT.
    ///
    /// - Returns: false where it was not connected.
    package mutating func leave(_ slot: NamespaceSlot, at now: NIODeadline, options: SocketOptions) -> Bool {
        guard !self.isEnded, self.state(slot) == .connected else { return false }
        self.free(slot, at: now, options: options)
        return true
    }

    /// When `expire` has something to say; nil while the session has a namespace and awaits no attachment.
    package var nextDeadline: NIODeadline? {
        guard !self.isEnded else { return nil }
        let connect = self.hasNamespace ? nil : self.connectDeadline
        guard let attachments = self.assembler.deadline else { return connect }
        return connect.map { min($0, attachments) } ?? attachments
    }

    /// - Returns: why the session has to be closed now, if it has to.
    package mutating func expire(at now: NIODeadline) -> CloseReason? {
        guard let deadline = self.nextDeadline, now >= deadline else { return nil }
        let isAttachment = self.assembler.deadline.map { now >= $0 } ?? false
        self.stopListening()
        return isAttachment ? .parseError : .forcedServerClose
    }

    /// The Engine.IO session has ended. Ask for `connected` before: whoever is in there is told once.
    package mutating func end() {
        self.stopListening()
        self.root = .free
        self.others = []
    }

    private var hasNamespace: Bool { self.root != .free || self.others.contains { $0.state != .free } }

    private mutating func close(_ reason: CloseReason) -> SocketAction {
        self.stopListening()
        return .close(reason)
    }

    /// Frees no namespace yet: the caller reads `connected`, then calls `end`.
    private mutating func stopListening() {
        self.isEnded = true
        self.assembler.reset()
    }

    private mutating func connect(
        _ packet: SocketPacket, _ slot: NamespaceSlot?, in text: UnsafeRawBufferPointer, options: SocketOptions
    ) -> SocketAction {
        if let slot, self.state(slot) != .free { return self.close(.forcedServerClose) }
        guard packet.payload.count <= options.maxAuthBytes else { return .connectError(packet, .authTooLarge) }
        if packet.isRoot {
            self.root = .pending
            return .connect(.root, packet)
        }
        let inUse = self.others.reduce(0) { $0 + ($1.state == .free ? 0 : 1) }
        guard inUse + 1 < options.maxNamespaces, inUse < Int(UInt8.max) - 1 else {
            return .connectError(packet, .tooManyNamespaces)
        }
        let joined = Joined(name: packet.namespaceName(in: text), state: .pending)
        guard let reusable = self.others.firstIndex(where: { $0.state == .free }) else {
            self.others.append(joined)
            return .connect(NamespaceSlot(rawValue: UInt8(self.others.count)), packet)
        }
        self.others[reusable] = joined
        return .connect(NamespaceSlot(rawValue: UInt8(reusable + 1)), packet)
    }

    private func slot(of packet: SocketPacket, in text: UnsafeRawBufferPointer) -> NamespaceSlot? {
        if packet.isRoot { return .root }
        let name = text[packet.namespace]
        guard
            let index = self.others.firstIndex(where: { $0.state != .free && $0.name.utf8.elementsEqual(name) })
        else { return nil }
        return NamespaceSlot(rawValue: UInt8(index + 1))
    }

    private func state(_ slot: NamespaceSlot) -> State {
        if slot == .root { return self.root }
        let index = Int(slot.rawValue) - 1
        return index < self.others.count ? self.others[index].state : .free
    }

    private mutating func set(_ slot: NamespaceSlot, _ state: State) {
        if slot == .root {
            self.root = state
        } else {
            self.others[Int(slot.rawValue) - 1].state = state
        }
    }

    /// The connect timeout starts anew when the last namespace is left (SOCKETIO §11.2).
    private mutating func free(_ slot: NamespaceSlot, at now: NIODeadline, options: SocketOptions) {
        self.set(slot, .free)
        if !self.hasNamespace { self.connectDeadline = now + options.connectTimeout }
    }
}

@available(*, unavailable) extension SocketSession: Sendable {}
