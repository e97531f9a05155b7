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
        buffer.reserveCapacity(minimumWritableBytes: 128)
        buffer.writeStaticString("0{\"sid\":")
        buffer.writeJSONString(sid)
        buffer.writeStaticString(offersUpgrade ? ",\"upgrades\":[\"websocket\"]" : ",\"upgrades\":[]")
        buffer.writeStaticString(",\"pingInterval\":")
        buffer.writeDecimal(Self.milliseconds(options.pingInterval))
        buffer.writeStaticString(",\"pingTimeout\":")
        buffer.writeDecimal(Self.milliseconds(options.pingTimeout))
        buffer.writeStaticString(",\"maxPayload\":")
        buffer.writeDecimal(UInt64(options.maxPayload))
        buffer.writeStaticString("}")
    }

    private static func milliseconds(_ time: TimeAmount) -> UInt64 { UInt64(time.nanoseconds / 1_000_000) }
}
