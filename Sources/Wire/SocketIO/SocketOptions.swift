package import NIOCore

/// Times and limits of Socket.IO sessions (SOCKETIO §18). One value per server, handed to the machines with each call.
package struct SocketOptions: Equatable, Sendable {
    /// Time without any namespace after which a session is closed.
    package var connectTimeout: TimeAmount
    /// Namespaces of one session, `/` among them; one above is answered with CONNECT_ERROR.
    package var maxNamespaces: Int
    /// Bytes of the auth payload; above it CONNECT_ERROR.
    package var maxAuthBytes: Int
    /// Bytes of a namespace's name.
    package var maxNamespaceBytes: Int
    /// UTF-8 bytes of an inbound event's name (SPEC EV-4).
    package var maxEventNameBytes: Int
    /// Attachments of one packet.
    package var maxAttachments: Int
    /// Bytes of one packet, text and attachments: four times `maxPayload`.
    package var maxPacketBytes: Int
    /// Nesting of a packet's JSON, its own array being one level; at most `JSONScanner.depthLimit`.
    package var maxDepth: Int
    /// Whether an `action` that is no JSON is answered with 400 (SPEC AC-12), rather than ending the session as any other
    /// malformed packet does (SOCKETIO §10.3).
    package var answersMalformedActions = false
    /// Time for all attachments of a packet to arrive: `pingInterval + pingTimeout`.
    package var attachmentTimeout: TimeAmount

    package init(
        connectTimeout: TimeAmount = .seconds(45), maxNamespaces: Int = 32, maxAuthBytes: Int = 16_384,
        maxNamespaceBytes: Int = 256, maxEventNameBytes: Int = 128, maxAttachments: Int = 10,
        maxPacketBytes: Int = 4_000_000, attachmentTimeout: TimeAmount = .seconds(20),
        maxDepth: Int = JSONScanner.depthLimit
    ) {
        self.connectTimeout = connectTimeout
        self.maxNamespaces = maxNamespaces
        self.maxAuthBytes = maxAuthBytes
        self.maxNamespaceBytes = maxNamespaceBytes
        self.maxEventNameBytes = maxEventNameBytes
        self.maxAttachments = maxAttachments
        self.maxPacketBytes = maxPacketBytes
        self.attachmentTimeout = attachmentTimeout
        self.maxDepth = min(maxDepth, JSONScanner.depthLimit)
    }

    /// The defaults that follow from the Engine.IO options.
    package init(engine: EngineOptions, connectTimeout: TimeAmount = .seconds(45)) {
        self.init(
            connectTimeout: connectTimeout, maxPacketBytes: engine.maxPayload * 4,
            attachmentTimeout: engine.pingInterval + engine.pingTimeout)
    }
}
