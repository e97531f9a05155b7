internal import NIOCore
package import Routing
package import Wire

/// Why a message of another node is not applied: it is counted and skipped (SPEC OP-4, ND-6).
package enum PeerMessageError: Error, Sendable, Equatable {
    case unknownVersion(UInt8)
    case malformed
}

/// Sessions were marked invalid: caches forget them and sockets are checked (SPEC ID-13).
package struct Invalidation: Sendable, Hashable {
    package let domain: String
    package let user: String
    /// nil: every client of the user.
    package let client: String?
    /// What sockets are told that are cut because of it.
    package let reason: LogoutReason
    /// Only sessions of this chain were marked; nil: all of (domain, user, client).
    package let chain: [UInt8]?
    /// The same person logged in anew: sockets of ``chain`` stay, and belong to the session of this hash from now on
    /// (SPEC ID-10).
    package let successor: [UInt8]?

    package init(
        domain: String, user: String, client: String?, reason: LogoutReason, chain: [UInt8]? = nil,
        successor: [UInt8]? = nil
    ) {
        self.domain = domain
        self.user = user
        self.client = client
        self.reason = reason
        self.chain = chain
        self.successor = successor
    }

    package var message: BusMessage {
        var payload = PeerPayload.start(self.reason)
        PeerPayload.write(self.client.map { Array($0.utf8) }, to: &payload)
        PeerPayload.write(self.chain, to: &payload)
        PeerPayload.write(self.successor, to: &payload)
        return BusMessage(
            kind: .invalidate, key: RouteKey(domain: self.domain, user: self.user).text, payload: payload)
    }

    package init(_ message: BusMessage) throws(PeerMessageError) {
        var payload = message.payload
        let (key, reason) = try PeerPayload.open(message, &payload)
        let client = try PeerPayload.client(&payload)
        let chain = try PeerPayload.hash(&payload)
        let successor = try PeerPayload.hash(&payload)
        guard payload.readableBytes == 0 else { throw .malformed }
        self.init(
            domain: key.domain, user: key.user, client: client, reason: reason, chain: chain, successor: successor)
    }
}

/// Connections are to be cut, whatever their sessions (SPEC ID-14).
package struct Kick: Sendable, Hashable {
    package let domain: String
    package let user: String
    /// nil: every client of the user.
    package let client: String?
    package let reason: LogoutReason

    package init(domain: String, user: String, client: String?, reason: LogoutReason = .kick) {
        self.domain = domain
        self.user = user
        self.client = client
        self.reason = reason
    }

    package var message: BusMessage {
        var payload = PeerPayload.start(self.reason)
        PeerPayload.write(self.client.map { Array($0.utf8) }, to: &payload)
        return BusMessage(kind: .kick, key: RouteKey(domain: self.domain, user: self.user).text, payload: payload)
    }

    package init(_ message: BusMessage) throws(PeerMessageError) {
        var payload = message.payload
        let (key, reason) = try PeerPayload.open(message, &payload)
        let client = try PeerPayload.client(&payload)
        guard payload.readableBytes == 0 else { throw .malformed }
        self.init(domain: key.domain, user: key.user, client: client, reason: reason)
    }
}

/// The common form of both payloads: version, reason, then fields of one length byte and their bytes; 0 = absent.
private enum PeerPayload {
    static let version: UInt8 = 1

    static func start(_ reason: LogoutReason) -> ByteBuffer {
        ByteBuffer(bytes: [self.version, self.code(reason)])
    }

    static func write(_ field: [UInt8]?, to payload: inout ByteBuffer) {
        let bytes = field ?? []
        guard let length = UInt8(exactly: bytes.count) else { preconditionFailure("identifiers and hashes are short") }
        payload.writeInteger(length)
        payload.writeBytes(bytes)
    }

    static func open(
        _ message: BusMessage, _ payload: inout ByteBuffer
    ) throws(PeerMessageError) -> (RouteKey, LogoutReason) {
        guard let version = payload.readInteger(as: UInt8.self) else { throw .malformed }
        guard version == self.version else { throw .unknownVersion(version) }
        guard let key = RouteKey(message.key), Identifier.isValid(key.user),
            let code = payload.readInteger(as: UInt8.self),
            let reason = LogoutReason.allCases.first(where: { self.code($0) == code })
        else { throw .malformed }
        return (key, reason)
    }

    static func client(_ payload: inout ByteBuffer) throws(PeerMessageError) -> String? {
        guard let bytes = try self.field(&payload) else { return nil }
        guard let client = String(validating: bytes, as: UTF8.self), Identifier.isValid(client) else {
            throw .malformed
        }
        return client
    }

    static func hash(_ payload: inout ByteBuffer) throws(PeerMessageError) -> [UInt8]? {
        guard let bytes = try self.field(&payload) else { return nil }
        guard bytes.count == 32 else { throw .malformed }
        return bytes
    }

    private static func field(_ payload: inout ByteBuffer) throws(PeerMessageError) -> [UInt8]? {
        guard let length = payload.readInteger(as: UInt8.self), let bytes = payload.readBytes(length: Int(length))
        else {
            throw .malformed
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Never renumber: neighbouring versions read it.
    private static func code(_ reason: LogoutReason) -> UInt8 {
        switch reason {
        case .logout: 1
        case .kick: 2
        case .expired: 3
        case .session: 4
        case .drain: 5
        case .superseded: 6
        case .node: 7
        }
    }
}
