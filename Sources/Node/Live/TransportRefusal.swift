import NIOCore

/// Refusals before there is a session, on a connection whose request we read ourselves (SOCKETIO §2.4, §18; SPEC ND-13,
/// TR-1). The connection is closed behind the answer.
enum TransportRefusal: String, Error, CaseIterable {
    case badRequest, headersTooLarge, targetTooLong, unsupportedWebSocketVersion
    /// Engine.IO's own refusals; on an upgrade request all are 400.
    case transportUnknown, sessionUnknown, badHandshakeMethod, engineBadRequest, forbidden, unsupportedProtocolVersion
    /// The session is there, but the request is not its client's: answered like one that is not there.
    case sessionOfAnother
    /// The application's `allowRequest` hook said no.
    case refusedByHook
    case hostMissing, unknownDomain
    /// Temporary: the client comes back by itself (SPEC ND-13).
    case unavailable, busy
    /// Of one client address (SOCKETIO §18). Temporary as well.
    case tooManyHandshakes, tooManySockets, tooManyUnjoined

    private var statusText: String {
        switch self.code {
        case 431: "431 Request Header Fields Too Large"
        case 414: "414 URI Too Long"
        case 426: "426 Upgrade Required"
        case 429: "429 Too Many Requests"
        case 421: "421 Misdirected Request"
        case 503: "503 Service Unavailable"
        default: "400 Bad Request"
        }
    }

    /// The status on an upgrade request.
    var code: Int {
        switch self {
        case .headersTooLarge: 431
        case .targetTooLong: 414
        case .unsupportedWebSocketVersion: 426
        case .unknownDomain: 421
        case .unavailable, .busy: 503
        case .tooManyHandshakes, .tooManySockets, .tooManyUnjoined: 429
        case .badRequest, .transportUnknown, .sessionUnknown, .badHandshakeMethod, .engineBadRequest, .forbidden,
            .refusedByHook, .unsupportedProtocolVersion, .hostMissing, .sessionOfAnother:
            400
        }
    }

    /// The bare message text is the body, as the reference server has it.
    var message: String {
        switch self {
        case .badRequest, .engineBadRequest: "Bad request"
        case .headersTooLarge: "Header section too large"
        case .targetTooLong: "Request target too long"
        case .unsupportedWebSocketVersion: "Unsupported WebSocket version"
        case .transportUnknown: "Transport unknown"
        case .sessionUnknown, .sessionOfAnother: "Session ID unknown"
        case .badHandshakeMethod: "Bad handshake method"
        case .forbidden, .refusedByHook: "Forbidden"
        case .unsupportedProtocolVersion: "Unsupported protocol version"
        case .hostMissing: "A request needs one Host"
        case .unknownDomain: "Unknown domain"
        case .unavailable: "UNAVAILABLE"
        case .busy: "BUSY"
        case .tooManyHandshakes: "Too many handshakes"
        case .tooManySockets: "Too many sockets"
        case .tooManyUnjoined: "Too many sockets that have not joined"
        }
    }

    /// Seconds after which it may be worth another try; nil where it never is. A rate is at least one a second.
    var retryAfter: Int? {
        switch self {
        case .unavailable, .busy, .tooManyHandshakes: 1
        case .tooManyUnjoined: 5
        case .tooManySockets: 30
        case .badRequest, .headersTooLarge, .targetTooLong, .unsupportedWebSocketVersion, .transportUnknown,
            .sessionUnknown, .badHandshakeMethod, .engineBadRequest, .forbidden, .refusedByHook,
            .unsupportedProtocolVersion, .hostMissing, .unknownDomain, .sessionOfAnother:
            nil
        }
    }

    /// The limit that was hit, where it is one.
    var limit: Limit? {
        switch self {
        case .headersTooLarge: .head
        case .targetTooLong: .target
        case .tooManyHandshakes: .addressHandshakes
        case .tooManySockets: .addressSockets
        case .tooManyUnjoined: .addressUnjoined
        case .badRequest, .unsupportedWebSocketVersion, .transportUnknown, .sessionUnknown, .badHandshakeMethod,
            .engineBadRequest, .forbidden, .refusedByHook, .unsupportedProtocolVersion, .hostMissing, .unknownDomain,
            .unavailable, .busy, .sessionOfAnother:
            nil
        }
    }

    /// - Parameters:
    ///   - message: what the application says in place of ``message``.
    ///   - isHead: the request is a HEAD: its answer has no body.
    func write(_ message: String? = nil, to context: ChannelHandlerContext, isHead: Bool = false) {
        let message = message ?? self.message
        var text = "HTTP/1.1 \(self.statusText)\r\nConnection: close\r\nContent-Type: text/html\r\n"
        text += "X-Content-Type-Options: nosniff\r\n"
        if self == .unsupportedWebSocketVersion { text += "Sec-WebSocket-Version: 13\r\n" }
        if let seconds = self.retryAfter { text += "Retry-After: \(seconds)\r\n" }
        text += "Content-Length: \(message.utf8.count)\r\n\r\n"
        if !isHead { text += message }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(NIOAny(ByteBuffer(string: text))).whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }
}
