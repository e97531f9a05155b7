/// What the end of a session releases. A session ends once, and so does each of these.
package struct EngineEnding: Equatable, Sendable {
    /// How a poll that was held is answered, always with 200.
    package enum Poll: Equatable, Sendable {
        /// None is held.
        case none
        /// With `6`: the client closed (SOCKETIO §5.3).
        case noop
        /// With `1`, whatever is queued being dropped.
        case close
        /// With everything queued and `1` behind it.
        case queueAndClose
    }

    package let reason: CloseReason
    package let poll: Poll
    /// A post is under way: end it with an empty 400, and its connection with it.
    package let cutsPost: Bool
    /// Send a close frame and close the WebSocket.
    package let closesWebSocket: Bool
    /// Close the WebSocket that an upgrade was trying.
    package let closesProbe: Bool
    /// The application knows already, since `close` said `waitForPoll` or `receive` said `leave`: only the session's entry
    /// is left to remove.
    package let wasAnnounced: Bool
}

/// What a timer asks for.
package enum HeartbeatAction: Equatable, Sendable {
    case none
    /// Queue or write `2`.
    case sendPing
    /// The upgrade took too long: close its WebSocket. The session goes on with polling.
    case closeProbe
    case end(EngineEnding)
}

/// What becomes of a GET.
package enum PollAction: Equatable, Sendable {
    /// Nothing to send: answer when `answerPoll` says so, or an ending does.
    case hold
    /// Answer 200 with everything queued.
    case answer
    /// An upgrade is being tried. Hold it for about a millisecond; if `answerPoll` says so then, answer with what is queued,
    /// else with `6`. Not at once: `5` may have been sent before the poll, and be read behind it.
    case holdBriefly
    /// Answer 200 with everything queued and `1` behind it; the session is gone.
    case last(EngineEnding)
    /// A poll was held already: an empty 400 for this one.
    case overlap(EngineEnding)
    /// Answer 200 with `6`: the client has closed with a POST that overtook this GET. The session is gone.
    case overtaken(EngineEnding)
    /// The pong is overdue: 400 `sessionUnknown`.
    case expired(EngineEnding)
    case refuse(EngineErrorCode)
}

/// What becomes of a POST, judged by its head.
package enum PostAction: Equatable, Sendable {
    /// Read the body, up to `maxPayload`.
    case read
    /// Answer with an empty body and this status, 400 or 413, and close the connection rather than read the rest.
    case reject(status: Int, EngineEnding)
    /// The pong is overdue: 400 `sessionUnknown`.
    case expired(EngineEnding)
    case refuse(EngineErrorCode)
}

/// What becomes of the body of a POST.
package enum PostBodyAction: Equatable, Sendable {
    /// Decode its packets and hand them to `receive` in order; answer `ok`. If one of them ended the session as
    /// `parseError`, an empty 400.
    case decode
    /// The session has ended or moved to WebSocket meanwhile.
    case refuse(EngineErrorCode)
}

/// What a packet on the current transport asks for.
package enum ReceiveAction: Equatable, Sendable {
    case none
    /// A message for the layer above.
    case message
    /// The client closes by a POST while none of its polls is here. One may be on its way on another connection, sent
    /// before the POST: it is owed a `6` (SOCKETIO §5.3), so the POST is answered when that has come, or with the ending
    /// that `heartbeat` gives. A client that waits for that answer finds the session gone. Tell the application now.
    /// - Parameter closesProbe: close the WebSocket that an upgrade was trying.
    case leave(closesProbe: Bool)
    case end(EngineEnding)
}

/// What becomes of a WebSocket request that names a session.
package enum UpgradeAction: Equatable, Sendable {
    /// Answer 101; its packets go to `probe`.
    case accept
    /// Answer 101 and close at once; the session is not disturbed (SOCKETIO §6, §7.10).
    case acceptAndClose
    /// The pong is overdue: 400 `sessionUnknown`.
    case expired(EngineEnding)
    case refuse(EngineErrorCode)
}

/// What a packet on the WebSocket of an upgrade asks for.
package enum ProbeAction: Equatable, Sendable {
    case none
    /// Write `3probe` on that WebSocket.
    /// - Parameter releasesPoll: a poll is held: from now on as with `holdBriefly`.
    case sendPong(releasesPoll: Bool)
    /// The WebSocket is the session's transport now: write everything queued on it, in order.
    /// - Parameter poll: what becomes of the held poll first.
    /// - Parameter cutsPost: end the post that is under way with an empty 400.
    case upgraded(poll: PollRelease, cutsPost: Bool)
    /// Close that WebSocket only; the session goes on with polling.
    case closeProbe
}

/// What becomes of a held poll when a WebSocket takes over.
package enum PollRelease: Equatable, Sendable {
    /// None is held.
    case none
    /// Answer it with `6`.
    case noop
    /// Refuse it as one that came after the upgrade (SOCKETIO §7.10). It has come while the WebSocket was there, on another
    /// connection; a client that keeps to the order waits for its polls before it sends `5`.
    case refuse
}

/// How a close by the server begins.
package enum CloseAction: Equatable, Sendable {
    case end(EngineEnding)
    /// Nobody polls: keep session and queue until a poll, or a timer, ends it (SOCKETIO §5.3). Tell the application
    /// now.
    /// - Parameter closesProbe: close the WebSocket that an upgrade was trying.
    case waitForPoll(closesProbe: Bool)
    /// Closed or closing already.
    case none
}
