import NIOCore

extension NIOLoopBound {
    /// Runs `body` on the value's loop: at once when called there.
    func execute(_ body: @escaping @Sendable (Value) -> Void) {
        if self.eventLoop.inEventLoop {
            body(self.value)
        } else {
            self.eventLoop.execute { body(self.value) }
        }
    }
}
