internal import NIOCore
package import Wire

/// What a node tells the one that decided on a revocation: it has been applied there (SPEC ID-13). Asked for by a revocation
/// whose message names a number; older nodes do not answer, and are not asked by them.
package struct RevocationReport: Sendable, Hashable {
    private static let version: UInt8 = 1
    /// ``BusMessage/source`` of a report, and before the number in that of a revocation.
    private static let mark = "revocation"
    /// ``BusMessage/source`` of a report that says that Links are closed.
    private static let linkMark = "revocation-links"

    /// The number that the deciding node gave it.
    package let number: UInt64
    /// Sockets that were cut.
    package let cut: Int

    /// Whether it is about the Links of parties that lost their last connection; else about sockets.
    package let isOfLinks: Bool

    package init(number: UInt64, cut: Int, isOfLinks: Bool = false) {
        self.number = number
        self.cut = cut
        self.isOfLinks = isOfLinks
    }

    /// The source of a revocation's message.
    package static func source(_ number: UInt64) -> String { "\(self.mark):\(number)" }

    /// - Returns: nil for a message that asks for no report.
    package static func number(in source: String) -> UInt64? {
        guard source.hasPrefix(self.mark + ":") else { return nil }
        return UInt64(source.dropFirst(self.mark.utf8.count + 1))
    }

    package static func isReport(_ message: BusMessage) -> Bool {
        message.kind == .ack && (message.source == self.mark || message.source == self.linkMark)
    }

    package var message: BusMessage {
        var payload = ByteBuffer(bytes: [Self.version])
        payload.writeInteger(self.number)
        payload.writeInteger(UInt32(clamping: self.cut))
        return BusMessage(kind: .ack, key: "", payload: payload, source: self.isOfLinks ? Self.linkMark : Self.mark)
    }

    package init(_ message: BusMessage) throws(PeerMessageError) {
        var payload = message.payload
        guard let version = payload.readInteger(as: UInt8.self) else { throw .malformed }
        guard version == Self.version else { throw .unknownVersion(version) }
        guard let number = payload.readInteger(as: UInt64.self), let cut = payload.readInteger(as: UInt32.self),
            payload.readableBytes == 0
        else { throw .malformed }
        self.init(number: number, cut: Int(cut), isOfLinks: message.source == Self.linkMark)
    }
}
