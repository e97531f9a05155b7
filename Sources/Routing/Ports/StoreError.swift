/// Why a store could not do what it was asked.
package struct StoreError: Error, Sendable, Equatable {
    package enum Code: Sendable, Equatable {
        /// No server could be reached in time; nothing was sent.
        case unavailable
        /// The deadline passed or the connection broke after sending: it may have happened or not (SPEC ND-14).
        case unknownOutcome
        /// The server refused; repeating would not help.
        case rejected
        /// The store's queue is full.
        case busy
        /// A stored document does not have the form, or the format version, that this program knows.
        case malformed
    }

    package var code: Code
    /// What was being done, e.g. `routes.write`.
    package var operation: String
    /// For people: what the server or driver said.
    package var message: String

    package init(_ code: Code, operation: String, message: String) {
        self.code = code
        self.operation = operation
        self.message = message
    }
}

extension StoreError: CustomStringConvertible {
    package var description: String { "\(self.operation): \(self.code): \(self.message)" }
}
