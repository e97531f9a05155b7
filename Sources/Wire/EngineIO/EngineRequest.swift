/// What the query of an Engine.IO request says, and what follows from it (SOCKETIO §2.2, §2.3).
package struct EngineRequest: Equatable, Sendable {
    /// What to do with a request.
    package enum Verdict: Equatable, Sendable {
        /// Open a session on this transport.
        case handshake(EngineTransport)
        /// A poll, a post, or an upgrade of the session: ask it.
        case session
        case refuse(EngineErrorCode)
        /// Answer 405 with an empty body; the session stays as it is.
        case methodNotAllowed
    }

    package enum Method: Equatable, Sendable { case get, post, other }

    /// Characters of a session id that is looked up (SOCKETIO §18).
    package static let maxSessionIDCount = 64

    /// Nil where the parameter is absent or names something else.
    package let transport: EngineTransport?
    /// Whether `EIO` is exactly `4`.
    package let isVersion4: Bool
    /// The session id; nil where absent or empty. One that cannot be an id of ours has `isSessionIDPlausible` false.
    package let sid: String?
    /// Whether binary messages have to be sent as base64 text (`b64=1`).
    package let base64: Bool

    /// - Parameter query: the target's bytes behind the question mark, still encoded.
    /// - Throws: `badRequest` where it is malformed.
    package init(query: UnsafeRawBufferPointer) throws(EngineErrorCode) {
        var transport: EngineTransport?
        var isVersion4 = false
        var sid: String?
        var base64 = false
        // Where a name occurs twice the last one counts, which is what assigning does.
        let isWellFormed = EngineQuery.forEach(query) { name, value in
            switch name {
            case "transport": transport = EngineTransport(rawValue: value)
            case "EIO": isVersion4 = value == "4"
            case "sid": sid = value.isEmpty ? nil : value
            case "b64": base64 = value == "1"
            default: break
            }
        }
        guard isWellFormed else { throw .badRequest }
        self.transport = transport
        self.isVersion4 = isVersion4
        self.sid = sid
        self.base64 = base64
    }

    /// - Parameter query: the target's part behind the question mark, still encoded.
    package init(query: String) throws(EngineErrorCode) {
        var query = query
        let result = query.withUTF8 { bytes in
            Result { () throws(EngineErrorCode) in try EngineRequest(query: UnsafeRawBufferPointer(bytes)) }
        }
        self = try result.get()
    }

    /// Whether a look-up of the session id makes sense: bounded, URL-safe base64 (SOCKETIO §18).
    package var isSessionIDPlausible: Bool {
        guard let sid = self.sid, sid.utf8.count <= Self.maxSessionIDCount else { return false }
        return sid.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// Goes through the checks in SOCKETIO's order (§2.3).
    ///
    /// - Parameters:
    ///   - isUpgrade: whether the request asks for a WebSocket.
    ///   - isOriginLegal: false where the `Origin` field has bytes that no header value may have.
    ///   - session: the current transport of the session that `sid` names; nil if there is none.
    ///   - isAllowed: what the application's hook says of a handshake. Where asking costs something, ask only if the
    ///     verdict without it is `handshake`, and come again.
    package func verdict(
        method: Method, isUpgrade: Bool, isOriginLegal: Bool, session: EngineTransport?, isAllowed: Bool = true,
        options: EngineOptions
    ) -> Verdict {
        guard let transport = self.transport, options.allows(transport) else { return .refuse(.transportUnknown) }
        guard isOriginLegal else { return .refuse(.badRequest) }
        if self.sid != nil {
            guard self.isSessionIDPlausible, let session else { return .refuse(.sessionUnknown) }
            if isUpgrade {
                // A session that is on WebSocket already is no refusal here: 101, then close (SOCKETIO §6).
                guard method == .get, transport == .websocket else { return .refuse(.badRequest) }
                return .session
            }
            guard transport == session, transport == .polling else { return .refuse(.badRequest) }
            return method == .other ? .methodNotAllowed : .session
        }
        guard method == .get else { return .refuse(.badHandshakeMethod) }
        guard isUpgrade == (transport == .websocket) else { return .refuse(.badRequest) }
        guard isAllowed else { return .refuse(.forbidden) }
        guard self.isVersion4 else { return .refuse(.unsupportedProtocolVersion) }
        return .handshake(transport)
    }
}
