/// What an ``EventDispatcher`` needs to log what it sends (SOCKETIO §14).
package struct RecoverySending: Sendable {
    package var log: any RecoveryLog
    package var clock: any ClusterClock
    /// The primary's clock, in milliseconds since 1970.
    package var clusterTime: @Sendable () -> Int64

    package init(
        log: any RecoveryLog, clock: any ClusterClock, clusterTime: @escaping @Sendable () -> Int64
    ) {
        self.log = log
        self.clock = clock
        self.clusterTime = clusterTime
    }
}
