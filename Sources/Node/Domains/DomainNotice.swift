internal import NIOCore
internal import Wire

/// Tells other nodes that a domain has a new configuration (SPEC RM-4). The configuration itself they read where it is
/// stored: a message may come late, or twice.
struct DomainNotice: Sendable, Equatable {
    private static let version: UInt8 = 1
    private static let longestDomain = 255

    /// Canonical.
    let domain: String
    /// Of the configuration.
    let version: Int64

    init(domain: String, version: Int64) {
        self.domain = domain
        self.version = version
    }

    var message: BusMessage {
        var payload = ByteBuffer()
        payload.writeInteger(Self.version)
        payload.writeInteger(self.version)
        payload.writeString(self.domain)
        return BusMessage(kind: .config, key: "", payload: payload)
    }

    init(_ message: BusMessage) throws(PeerMessageError) {
        var payload = message.payload
        guard let form = payload.readInteger(as: UInt8.self) else { throw .malformed }
        guard form == Self.version else { throw .unknownVersion(form) }
        guard let version = payload.readInteger(as: Int64.self), version > 0,
            (1...Self.longestDomain).contains(payload.readableBytes),
            let domain = String(validating: payload.readableBytesView, as: UTF8.self)
        else { throw .malformed }
        self.init(domain: domain, version: version)
    }
}
