package import NIOCore

/// The open packet: exactly five keys, whole numbers (SOCKETIO §4).
package enum EngineHandshake {
    /// Appends the packet with its type byte `0`: the body of the first poll, or the first text message.
    ///
    /// - Parameter sid: URL-safe base64, so that nothing in it needs escaping.
    package static func writeOpen(
        sid: String, transport: EngineTransport, options: EngineOptions, into buffer: inout ByteBuffer
    ) {
        let offersUpgrade = transport == .polling && options.allowsUpgrades && options.allowsWebSocket
        buffer.writeString("0{\"sid\":")
        buffer.writeJSONString(sid)
        buffer.writeString(offersUpgrade ? ",\"upgrades\":[\"websocket\"]" : ",\"upgrades\":[]")
        buffer.writeString(",\"pingInterval\":\(options.pingInterval.nanoseconds / 1_000_000)")
        buffer.writeString(",\"pingTimeout\":\(options.pingTimeout.nanoseconds / 1_000_000)")
        buffer.writeString(",\"maxPayload\":\(options.maxPayload)}")
    }
}
