/// The packet types of Socket.IO 5; the raw value is the digit on the wire (SOCKETIO §10).
package enum SocketPacketKind: UInt8, Sendable {
    case connect = 0x30
    case disconnect = 0x31
    case event = 0x32
    case ack = 0x33
    case connectError = 0x34
    case binaryEvent = 0x35
    case binaryAck = 0x36
}
