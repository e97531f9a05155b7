/// One Socket.IO packet as ranges of its text, which is the payload of an Engine.IO message without the `4`. Nothing is
/// copied or decoded: offsets stay good for any buffer that holds the same text.
package struct SocketPacket: Equatable, Sendable {
    package let kind: SocketPacketKind
    private let namespaceStart: UInt32
    private let namespaceEnd: UInt32
    private let payloadStart: UInt32
    private let payloadEnd: UInt32
    private let nameStart: UInt32
    private let nameEnd: UInt32
    private let argumentsStart: UInt32
    /// Binary messages that follow the text.
    package let attachmentCount: UInt8
    /// Whether the event's name holds a backslash: without one, its bytes are its value.
    package let nameHasEscapes: Bool
    private let id: Int64

    init(
        kind: SocketPacketKind, namespace: Range<Int>, ackID: Int64?, attachmentCount: Int, payload: Range<Int>,
        name: Range<Int>, nameHasEscapes: Bool, argumentsStart: Int
    ) {
        self.kind = kind
        self.namespaceStart = UInt32(namespace.lowerBound)
        self.namespaceEnd = UInt32(namespace.upperBound)
        self.payloadStart = UInt32(payload.lowerBound)
        self.payloadEnd = UInt32(payload.upperBound)
        self.nameStart = UInt32(name.lowerBound)
        self.nameEnd = UInt32(name.upperBound)
        self.argumentsStart = UInt32(argumentsStart)
        self.attachmentCount = UInt8(attachmentCount)
        self.nameHasEscapes = nameHasEscapes
        self.id = ackID ?? -1
    }

    /// 0...2^53-1; on CONNECT and DISCONNECT always nil.
    package var ackID: Int64? { self.id < 0 ? nil : self.id }

    /// Whether the packet is for the main namespace, named or not.
    package var isRoot: Bool { self.namespaceEnd - self.namespaceStart <= 1 }

    /// The namespace's name with its slash; empty where it was left out, which means `/`.
    package var namespace: Range<Int> { Int(self.namespaceStart)..<Int(self.namespaceEnd) }

    /// The whole JSON value; empty where there is none. An array for events and acks, an object for CONNECT.
    package var payload: Range<Int> { Int(self.payloadStart)..<Int(self.payloadEnd) }

    /// The event's name: the text between its quotes, or the digits of a numeric name. Empty for other packets.
    package var eventName: Range<Int> { Int(self.nameStart)..<Int(self.nameEnd) }

    /// What stands between the name's comma, or the opening bracket of an ack, and the closing bracket, less leading white
    /// space. Put into brackets it is an array again: that is how an echo costs one copy (SOCKETIO §10.4).
    package var arguments: Range<Int> {
        self.argumentsStart == 0
            ? Int(self.payloadStart)..<Int(self.payloadStart) : Int(self.argumentsStart)..<self.argumentsEnd
    }

    private var argumentsEnd: Int { Int(self.payloadEnd) - 1 }

    /// Whether the event's name is exactly `name`, without making a string.
    package func isEvent(_ name: StaticString, in text: UnsafeRawBufferPointer) -> Bool {
        JSONString.equals(UnsafeRawBufferPointer(rebasing: text[self.eventName]), hasEscapes: self.nameHasEscapes, name)
    }

    /// The event's name, decoded.
    package func name(in text: UnsafeRawBufferPointer) -> String {
        JSONString.decode(UnsafeRawBufferPointer(rebasing: text[self.eventName]))
    }

    /// The namespace's name, `/` where it was left out.
    package func namespaceName(in text: UnsafeRawBufferPointer) -> String {
        self.isRoot ? "/" : String(decoding: text[self.namespace], as: UTF8.self)
    }
}
