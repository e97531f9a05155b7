/// What can be told of a packet that is an `action` for `/`, but not JSON (SPEC AC-12): that it is one, and whether it asks
/// for an acknowledgement.
struct ActionHead: Equatable {
    let ackID: Int64?

    /// - Parameters:
    ///   - text: a packet that the parser has refused.
    ///   - error: why. Only what is wrong behind the name leaves a client that can be answered.
    /// - Returns: nil for every other packet.
    init?(_ text: UnsafeRawBufferPointer, _ error: SocketPacketError) {
        guard error == .malformedJSON || error == .nestingTooDeep, text.first == SocketPacketKind.event.rawValue else {
            return nil
        }
        var position = 1
        if text.count > 2, text[1] == UInt8(ascii: "/") {
            guard text[2] == UInt8(ascii: ",") else { return nil }
            position = 3
        }
        var id: Int64?
        while position < text.count, text[position] &- UInt8(ascii: "0") < 10 {
            // The parser has looked at its length, as it refuses the id before the JSON.
            id = (id ?? 0) * 10 + Int64(text[position] - UInt8(ascii: "0"))
            position += 1
        }
        var scanner = JSONScanner(text, from: position)
        guard scanner.take(UInt8(ascii: "[")) else { return nil }
        scanner.skipWhitespace()
        let start = scanner.position + 1
        guard scanner.skipString() else { return nil }
        let name = UnsafeRawBufferPointer(rebasing: text[start..<(scanner.position - 1)])
        guard JSONString.equals(name, hasEscapes: scanner.lastStringHasEscapes, "action") else { return nil }
        scanner.skipWhitespace()
        // Anything else behind a name is no packet of any kind.
        guard scanner.take(UInt8(ascii: ",")) else { return nil }
        self.ackID = id
    }
}
