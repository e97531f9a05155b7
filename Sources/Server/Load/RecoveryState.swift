/// What the official client keeps for connection state recovery (SOCKETIO §14.1): a private id from the CONNECT answer
/// and the offset of the last event.
struct RecoveryState: Equatable, Sendable {
    private(set) var pid: String?
    private(set) var offset: String?

    /// CONNECT was answered.
    ///
    /// - Parameter pid: the answer's `pid`; nil where the server has no recovery.
    /// - Returns: whether the session goes on: the pid is the one that was presented.
    mutating func connected(pid: String?) -> Bool {
        let recovered = pid != nil && pid == self.pid
        // The offset stays whatever the answer was, as it does in the official client.
        self.pid = pid
        return recovered
    }

    /// An event reached the application.
    ///
    /// - Parameter lastArgument: its last argument if that is a string: meant as an offset or not, it becomes the
    ///   position, as in the official client.
    mutating func received(lastArgument: String?) {
        guard self.pid != nil, let lastArgument else { return }
        self.offset = lastArgument
    }
}
