/// Limits of the ``TransitionEmitter``.
package struct EmissionOptions: Sendable, Equatable {
    /// Handlers that run at once, each for another key, 64.
    package var handlers: Int
    /// How long a handler has, 10 s (SPEC LC-3), in nanoseconds. Then the next one of its key may run.
    package var handlerTimeout: Int64
    /// Handlers beyond their time that may still be running without holding up others, 256; further ones hold theirs.
    package var overdueHandlers: Int
    /// Transitions of one key that are handled before they are acknowledged, even if more wait: 32.
    package var batch: Int

    package init(
        handlers: Int = 64, handlerTimeout: Int64 = Nanoseconds.seconds(10), overdueHandlers: Int = 256,
        batch: Int = 32
    ) {
        self.handlers = handlers
        self.handlerTimeout = handlerTimeout
        self.overdueHandlers = overdueHandlers
        self.batch = batch
    }
}
