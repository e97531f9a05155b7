import NIOCore
import Wire

/// The namespaces of a session, driven by commands: texts and attachments of the input's own, and what the application
/// decides about them (SOCKETIO §10, §11).
///
///     command = kind (1 byte), value (1 byte), for a message as many bytes as the value says
struct SocketsTarget {
    private static let options = SocketOptions(
        connectTimeout: .seconds(10), maxNamespaces: 4, maxAuthBytes: 64, maxNamespaceBytes: 16, maxAttachments: 3,
        maxPacketBytes: 300, attachmentTimeout: .seconds(5))

    private enum State { case pending, connected }

    private var session: SocketSession
    private var now = NIODeadline.uptimeNanoseconds(1)
    private var namespaces: [NamespaceSlot: State] = [:]
    private var isClosed = false
    private var hasEnded = false

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = CommandBytes(bytes)
        var target = SocketsTarget()
        while !input.isEmpty {
            let command = input.byte()
            let value = input.byte()
            switch command % 8 {
            case 0, 7:
                let text = input.take(Int(value))
                try target.receive(text: text)
            case 1:
                let bytes = input.take(Int(value))
                try target.receive(bytes)
            default: try target.decide(command % 8, value)
            }
            try target.checkState()
        }
    }

    private init() { self.session = SocketSession(at: self.now, options: Self.options) }

    private mutating func receive(text: UnsafeRawBufferPointer) throws(Finding) {
        guard UTF8Validation.isValid(text) else { return }
        let action = self.session.receive(text: text, at: self.now, options: Self.options)
        switch action {
        case .event(let slot, let packet), .ack(let slot, let packet):
            try self.expect(slot, .connected)
            try PacketTarget.check(packet, in: text)
        case .connect(let slot, let packet):
            try Finding.check(self.namespaces[slot] == nil, "a namespace is joined once (SOCKETIO §11.10)")
            try Finding.check(
                self.session.name(of: slot) == packet.namespaceName(in: text), "a slot has the name that was asked for")
            self.namespaces[slot] = .pending
        case .connectError(let packet, let refusal):
            let isFull = self.namespaces.count >= Self.options.maxNamespaces - 1
            switch refusal {
            case .tooManyNamespaces: try Finding.check(isFull, "only a full session refuses")
            case .authTooLarge:
                try Finding.check(packet.payload.count > Self.options.maxAuthBytes, "only large auth is refused")
            case .invalidNamespace: throw Finding(description: "whether a namespace exists is not the machine's to say")
            }
        case .left(let slot):
            try self.expect(slot, .connected)
            self.namespaces[slot] = nil
        case .malformedAction: try self.expect(.root, .connected)
        case .attached: throw Finding(description: "a text completes no attachments")
        case .none, .close: break
        }
        self.note(action)
    }

    private mutating func receive(_ binary: UnsafeRawBufferPointer) throws(Finding) {
        let action = self.session.receive(binary: binary, options: Self.options)
        switch action {
        case .attached(let slot, let attached):
            try self.expect(slot, .connected)
            try Finding.check(
                attached.attachments.count == Int(attached.packet.attachmentCount), "as many attachments as announced")
        case .none, .close: break
        case .connect, .connectError, .event, .ack, .left, .malformedAction:
            throw Finding(description: "a binary message is an attachment, or nothing")
        }
        self.note(action)
    }

    private mutating func decide(_ command: UInt8, _ value: UInt8) throws(Finding) {
        let slot = NamespaceSlot(rawValue: value % 6)
        let state = self.isClosed ? nil : self.namespaces[slot]
        switch command {
        case 2:
            try Finding.check(self.session.accept(slot) == (state == .pending), "what waits can be accepted")
            if state == .pending { self.namespaces[slot] = .connected }
        case 3:
            try Finding.check(self.session.refuse(slot) == (state == .pending), "what waits can be refused")
            if state == .pending { self.namespaces[slot] = nil }
        case 4:
            let left = self.session.leave(slot, at: self.now, options: Self.options)
            try Finding.check(left == (state == .connected), "what is connected can be left")
            if left { self.namespaces[slot] = nil }
        case 5:
            self.now = self.now + .milliseconds(Int64(value) * 100)
            let deadline = self.session.nextDeadline
            let reason = self.session.expire(at: self.now)
            try Finding.check((reason != nil) == (deadline.map { $0 <= self.now } ?? false), "a deadline is kept")
            if reason != nil { self.isClosed = true }
        default:
            guard value & 0xC0 == 0xC0 else { return }
            self.session.end()
            self.isClosed = true
            self.hasEnded = true
            self.namespaces = [:]
        }
    }

    private mutating func note(_ action: SocketAction) {
        if case .close = action { self.isClosed = true }
    }

    private func expect(_ slot: NamespaceSlot, _ state: State) throws(Finding) {
        try Finding.check(!self.isClosed && self.namespaces[slot] == state, "only who is connected is heard")
    }

    private func checkState() throws(Finding) {
        let connected = self.namespaces.filter { $0.value == .connected }.keys
        try Finding.check(Set(self.session.connected) == Set(connected), "who is connected is known")
        try Finding.check(self.session.connected.count <= Self.options.maxNamespaces, "namespaces are bounded")
        try Finding.check(!self.isClosed || self.session.nextDeadline == nil, "a session that ended has no timer")
        var names: Set<String> = []
        for slot in self.namespaces.keys {
            let isNew = names.insert(self.session.name(of: slot)).inserted
            try Finding.check(isNew, "no name has two slots")
        }
    }
}
