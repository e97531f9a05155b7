/// The status codes of RFC 6455 §7.4.1 that this side sends.
package enum WebSocketCloseCode: UInt16, Sendable {
    case normal = 1000
    case goingAway = 1001
    /// Reserved bits, unknown opcodes, unmasked frames, malformed control frames.
    case protocolError = 1002
    /// A text message that is not UTF-8, or a compressed one that cannot be unpacked.
    case invalidText = 1007
    /// Above `maxPayload`, unpacked, or in too many fragments.
    case tooLarge = 1009
    case internalError = 1011
}

/// What `WebSocketDecoder.next` found. Bytes are borrowed: they are gone with the next call on the decoder or on its
/// scratch buffer.
package enum WebSocketEvent {
    /// A whole text message, unmasked, checked to be UTF-8.
    case text(UnsafeRawBufferPointer)
    /// A whole binary message, unmasked.
    case binary(UnsafeRawBufferPointer)
    /// Answer with a pong of the same bytes (at most 125); no heartbeat of Engine.IO (SOCKETIO §6).
    case ping(UnsafeRawBufferPointer)
    /// Nothing to do.
    case pong
    /// The peer closes, with the code it gave. Answer with a close frame of that code unless one was sent, then close the channel.
    /// The decoder gives `needsMore` from now on.
    case close(code: UInt16?)
    /// The peer broke the protocol: send a close frame with this code and close. The decoder gives `needsMore` from now
    /// on.
    case violation(WebSocketCloseCode)
    /// No complete frame is left. Keep the bytes from `offset` on and come back with more behind them.
    case needsMore
}
