/// What can be fuzzed; the raw value names the folder of its seeds.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A polling payload, and the two sessions on top of it (SOCKETIO §3.2, §5.2).
    case payload
    /// WebSocket frames that arrive in pieces (SOCKETIO §6).
    case frames
    /// One Socket.IO packet, read, sent on and read again (SOCKETIO §10).
    case packet
    /// JSON text, against Foundation's reader (SOCKETIO §10.4).
    case json
    /// A BSON document (SPEC OP-4).
    case bson
    /// What travels between nodes (SPEC ND-6).
    case bus
    /// The head of an upgrade request (SOCKETIO §18).
    case head
    /// The query of an Engine.IO request (SOCKETIO §2.2, §2.3).
    case query
    /// Commands to an Engine.IO session (SOCKETIO §5 to §8).
    case engine
    /// Commands to a Socket.IO session (SOCKETIO §11).
    case sockets
    /// A form with files, in pieces (SPEC AC-5).
    case multipart
    /// The arguments of `link` and `peer` events (SPEC LK-4, LK-9).
    case links

    /// Hands the bytes to what is tested. They trap, loop or break a rule only where there is a fault.
    package func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        switch self {
        case .payload: try PayloadTarget.run(bytes)
        case .frames: try FramesTarget.run(bytes)
        case .packet: try PacketTarget.run(bytes)
        case .json: try JSONTarget.run(bytes)
        case .bson: try BSONTarget.run(bytes)
        case .bus: try BusTarget.run(bytes)
        case .head: try HeadTarget.run(bytes)
        case .query: try QueryTarget.run(bytes)
        case .engine: try EngineTarget.run(bytes)
        case .sockets: try SocketsTarget.run(bytes)
        case .multipart: try MultipartTarget.run(bytes)
        case .links: try LinksTarget.run(bytes)
        }
    }
}
