package import NIOCore

/// Times and limits of Engine.IO sessions. One value per server, handed to the machines with each call, so that a
/// session does not carry it.
package struct EngineOptions: Equatable, Sendable {
    /// From one pong, or the opening, to the next ping (SPEC LC-9).
    package var pingInterval: TimeAmount
    /// Time for the pong, from when its ping was due (SPEC LC-9).
    package var pingTimeout: TimeAmount
    /// Bytes of one POST body or WebSocket message (SOCKETIO §18).
    package var maxPayload: Int
    /// How long an upgrade may take (SOCKETIO §7).
    package var upgradeTimeout: TimeAmount
    /// How long a closing polling session waits for the poll that takes its last packets (SOCKETIO §5.3).
    package var closeTimeout: TimeAmount
    /// How long the answer to a client's closing POST is held for a GET that the client sent at the same time
    /// (SOCKETIO §17, hazard b).
    package var leaveTimeout: TimeAmount
    /// Whether polling sessions may move to WebSocket.
    package var allowsUpgrades: Bool
    package var allowsPolling: Bool
    package var allowsWebSocket: Bool
    /// Packets in one POST body (SOCKETIO §18).
    package var maxPacketsPerPayload: Int
    /// Fragments of one WebSocket message (SOCKETIO §18).
    package var maxFragments: Int
    /// Unsent bytes of one session, each packet counting `PollingQueue.packetOverhead` more (SPEC EV-4).
    package var maxQueuedBytes: Int

    package init(
        pingInterval: TimeAmount = .seconds(10), pingTimeout: TimeAmount = .seconds(10), maxPayload: Int = 1_000_000,
        upgradeTimeout: TimeAmount = .seconds(10), closeTimeout: TimeAmount = .seconds(30),
        leaveTimeout: TimeAmount = .milliseconds(100), allowsUpgrades: Bool = true, allowsPolling: Bool = true,
        allowsWebSocket: Bool = true, maxPacketsPerPayload: Int = 16_384,
        maxFragments: Int = 1_024, maxQueuedBytes: Int = 4 << 20
    ) {
        self.pingInterval = pingInterval
        self.pingTimeout = pingTimeout
        self.maxPayload = maxPayload
        self.upgradeTimeout = upgradeTimeout
        self.closeTimeout = closeTimeout
        self.leaveTimeout = leaveTimeout
        self.allowsUpgrades = allowsUpgrades
        self.allowsPolling = allowsPolling
        self.allowsWebSocket = allowsWebSocket
        self.maxPacketsPerPayload = maxPacketsPerPayload
        self.maxFragments = maxFragments
        self.maxQueuedBytes = maxQueuedBytes
    }

    /// The limits of the frame decoder that serves these sessions.
    package var frameLimits: WebSocketDecoder.Limits {
        WebSocketDecoder.Limits(maxPayload: self.maxPayload, maxFragments: self.maxFragments)
    }

    func allows(_ transport: EngineTransport) -> Bool {
        switch transport {
        case .polling: self.allowsPolling
        case .websocket: self.allowsWebSocket
        }
    }
}
