/// What the tables need to know while connection state recovery is on (SOCKETIO §14).
package struct RecoveryTracking: Sendable {
    /// How long a client may be away, in seconds.
    package var window: Int64
    /// The primary's clock, in seconds since 1970.
    package var now: @Sendable () -> Int64

    package init(window: Int64, now: @escaping @Sendable () -> Int64) {
        self.window = window
        self.now = now
    }
}
