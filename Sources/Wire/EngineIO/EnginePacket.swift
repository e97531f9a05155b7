/// One Engine.IO packet as received, over either transport. Bytes are borrowed from what was parsed, or from the
/// scratch buffer where base64 was decoded, and are gone with the next call.
package enum EnginePacket {
    /// A packet with a type byte; the payload is what follows it.
    case packet(EnginePacketType, UnsafeRawBufferPointer)
    /// A binary message: a bare binary frame, or base64 text behind a `b`.
    case binary(UnsafeRawBufferPointer)
    /// Not a packet: the session ends as `parseError`.
    case invalid

    /// Reads one packet from the text of a WebSocket message, or from between the separators of a polling payload.
    ///
    /// Does not check UTF-8: the frame decoder or the payload decoder has.
    package static func parse(text: UnsafeRawBufferPointer, scratch: ScratchBuffer) -> EnginePacket {
        guard let first = text.first else { return .invalid }
        let rest = UnsafeRawBufferPointer(rebasing: text[1...])
        if let type = EnginePacketType(rawValue: first) { return .packet(type, rest) }
        guard first == UInt8(ascii: "b") else { return .invalid }
        // The text may itself lie in the scratch buffer; decoding there goes forward and never overtakes the reading.
        guard let bytes = Base64.decode(rest, scratch: scratch) else { return .invalid }
        return .binary(bytes)
    }

    /// Whether the payload is `probe`, as in `2probe` and `3probe` (SOCKETIO §7).
    package static func isProbe(_ payload: UnsafeRawBufferPointer) -> Bool { payload.elementsEqual("probe".utf8) }
}
