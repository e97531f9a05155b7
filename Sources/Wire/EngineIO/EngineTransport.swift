/// The transports of Engine.IO that this server speaks; the raw value is the name on the wire (SOCKETIO §2.2). An enum,
/// so that a client's string never indexes anything (CVE-2023-31125).
package enum EngineTransport: String, Sendable {
    case polling
    case websocket
}
