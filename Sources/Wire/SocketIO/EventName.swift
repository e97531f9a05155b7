/// Names that no application event may have.
package enum EventName {
    /// Socket.IO's own, on every official server and client (SOCKETIO §10.3).
    private static let socketIO: [StaticString] = [
        "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
    ]

    /// The product's own events (SPEC §8), which `send` refuses as well.
    package static let product: Set<String> = [
        "ready", "action", "reply", "chunk", "link", "peer", "ice", "session", "logout",
    ]

    package static func isReserved(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { self.isReserved(UnsafeRawBufferPointer($0), hasEscapes: false) }
    }

    /// - Parameter raw: the name's text between its quotes.
    static func isReserved(_ raw: UnsafeRawBufferPointer, hasEscapes: Bool) -> Bool {
        // "connect" is the shortest and "removeListener" the longest; escapes only make the text longer.
        guard raw.count >= 7, hasEscapes || raw.count <= 14 else { return false }
        for name in self.socketIO where JSONString.equals(raw, hasEscapes: hasEscapes, name) { return true }
        return false
    }
}
