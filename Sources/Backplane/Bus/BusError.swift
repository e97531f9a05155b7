/// Why the bus could not be opened.
package struct BusError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// A home names a shard or slot that is not there.
        case unknownHome
        /// No pool could be made for a URI.
        case refused
        /// A tail did not deliver its first probe in time (SPEC ND-2).
        case notReady
    }

    package var code: Code
    /// For people: what, why, and what the server or driver said last.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { self.message }
}
