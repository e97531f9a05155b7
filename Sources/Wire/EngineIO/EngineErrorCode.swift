package import NIOCore

/// The refusals of Engine.IO's HTTP surface (SOCKETIO §2.4): code, text and status are exact, since operators and load
/// balancers look at them.
package enum EngineErrorCode: Int, Error, CaseIterable, Sendable {
    case transportUnknown = 0
    case sessionUnknown = 1
    case badHandshakeMethod = 2
    case badRequest = 3
    case forbidden = 4
    case unsupportedProtocolVersion = 5

    package var message: String {
        switch self {
        case .transportUnknown: "Transport unknown"
        case .sessionUnknown: "Session ID unknown"
        case .badHandshakeMethod: "Bad handshake method"
        case .badRequest: "Bad request"
        case .forbidden: "Forbidden"
        case .unsupportedProtocolVersion: "Unsupported protocol version"
        }
    }

    /// The status of a plain HTTP answer. On a WebSocket upgrade request it is 400 for every code.
    package var status: Int { self == .forbidden ? 403 : 400 }

    /// Appends the JSON body of a plain HTTP answer (`application/json`). On an upgrade request the body is the bare
    /// message.
    /// - Parameter message: what the hook said, for `forbidden`.
    package func writeBody(message: String? = nil, into buffer: inout ByteBuffer) {
        buffer.writeString("{\"code\":\(self.rawValue),\"message\":")
        buffer.writeJSONString(message ?? self.message)
        buffer.writeString("}")
    }
}
