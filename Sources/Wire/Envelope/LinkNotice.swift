package import NIOCore

/// A Link has changed: caches forget it, and where it was closed, every connection of the party is told so. The payload of a
/// message of kind `link` (SPEC LK-10, LK-14). The message's key is the route key of the party's user.
///
///     payload = version (1 byte: 1), change (1 byte: 0 = opened or relabelled, else the reason it was closed for),
///               flags (1 byte: 1 = client), token (text), [client (text)]
///     text    = length (UInt16), UTF-8
package struct LinkNotice: Sendable, Equatable {
    package static let version: UInt8 = 1
    private static let clientFlag: UInt8 = 1

    /// Begins with the link's key.
    package var token: String
    /// Only connections of this client; nil for all of the user.
    package var client: String?
    /// nil: it is open.
    package var closed: LinkCloseReason?

    package init(token: String, client: String?, closed: LinkCloseReason?) {
        self.token = token
        self.client = client
        self.closed = closed
    }

    package func encode() throws(EnvelopeError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.version)
        buffer.writeInteger(self.closed?.rawValue ?? 0)
        buffer.writeInteger(self.client == nil ? 0 : Self.clientFlag)
        try buffer.writeText(self.token)
        if let client { try buffer.writeText(client) }
        return buffer
    }

    package static func decode(_ buffer: ByteBuffer) throws(EnvelopeError) -> LinkNotice {
        var buffer = buffer
        guard let version = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard version == self.version else { throw .unknownVersion(version) }
        guard let code = buffer.readInteger(as: UInt8.self), let flags = buffer.readInteger(as: UInt8.self)
        else { throw .truncated }
        guard flags & ~self.clientFlag == 0 else { throw .missingField("flags") }
        let closed = LinkCloseReason(rawValue: code)
        guard code == 0 || closed != nil else { throw .missingField("reason") }
        let token = try buffer.readText()
        let client = flags & self.clientFlag != 0 ? try buffer.readText() : nil
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return LinkNotice(token: token, client: client, closed: closed)
    }
}
