/// What the frame decoder of a connection with permessage-deflate unpacks messages with.
package struct Inflation {
    package let inflater: Inflater
    /// The event loop's.
    package let output: ScratchBuffer
    /// Whether messages may refer to earlier ones: then the inflater is the connection's own.
    package let keepsContext: Bool

    package init(inflater: Inflater, output: ScratchBuffer, keepsContext: Bool) {
        self.inflater = inflater
        self.output = output
        self.keepsContext = keepsContext
    }
}

@available(*, unavailable) extension Inflation: Sendable {}
