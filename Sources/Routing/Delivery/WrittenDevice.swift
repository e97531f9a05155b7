import NIOCore
package import Wire

/// What became of an event at the connections that one device has on a node, or a loop of it (SPEC EV-2).
package struct WrittenDevice: Sendable, Hashable {
    private static let version: UInt8 = 1

    package var client: String
    /// Connections whose transport has taken it.
    package var written: Int
    /// Connections that have not got it: they are not ready yet, their client does not take what it is sent or does not
    /// poll right now, or they were closed for that. They may get it later; nothing is promised.
    package var pending: Int

    package init(client: String, written: Int, pending: Int) {
        self.client = client
        self.written = written
        self.pending = pending
    }

    /// Adds up what several loops or nodes say of one device.
    func add(to devices: inout [String: WrittenDevice]) {
        let known = devices[self.client]
        devices[self.client] = WrittenDevice(
            client: self.client, written: (known?.written ?? 0) + self.written,
            pending: (known?.pending ?? 0) + self.pending)
    }

    /// As a contribution to a request: version (1 byte), written and pending (UInt32 each), the client (UTF-8).
    package var item: RoomReply.Item {
        var bytes = ByteBuffer(bytes: [Self.version])
        bytes.writeInteger(UInt32(clamping: self.written))
        bytes.writeInteger(UInt32(clamping: self.pending))
        bytes.writeString(self.client)
        return RoomReply.Item(text: bytes)
    }

    /// - Returns: nil for what a node of this version does not say.
    package init?(_ item: RoomReply.Item) {
        var bytes = item.text
        guard bytes.readInteger(as: UInt8.self) == Self.version, let written = bytes.readInteger(as: UInt32.self),
            let pending = bytes.readInteger(as: UInt32.self),
            let client = bytes.withUnsafeReadableBytes({ String(validating: $0, as: UTF8.self) })
        else { return nil }
        self.init(client: client, written: Int(written), pending: Int(pending))
    }
}
