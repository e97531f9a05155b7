import NIOCore

/// A session that can be found by its Engine.IO session ID, whose it is, and the loop to ask it on.
struct PollingEntry: Sendable {
    let session: NIOLoopBound<LiveSession>
    let owner: PollingOwner

    var loop: any EventLoop { self.session.eventLoop }

    /// Runs `body` on the session's loop: at once when called there.
    func run(_ body: @escaping @Sendable (LiveSession) -> Void) {
        self.session.execute(body)
    }
}
