package import NIOCore

/// Time limits and size of a ``MongoPool``. Every command through it ends at these limits, whatever the URI says (ND-14).
package struct MongoPoolOptions: Sendable {
    /// Longest silence of a server in one command; the client's deadline.
    package var commandTimeout: TimeAmount
    /// Longest wait for a connection to be made.
    package var connectTimeout: TimeAmount
    /// Longest wait for a server that can take the command (an election).
    package var selectionTimeout: TimeAmount
    /// Longest wait for a free client.
    package var leaseTimeout: TimeAmount
    /// How long a server waits for the majority; below ``commandTimeout``, so that the answer still comes.
    package var majorityTimeout: TimeAmount
    /// Clients, one connection each. At least as many as threads that use the pool, else they wait for each other.
    package var size: Int
    /// Whether writes of mode `write` carry a transaction number and are repeated once.
    package var retriesWrites: Bool
    /// Shown in the server's logs.
    package var appName: String

    /// - Parameter timeout: of a command; the other limits follow it.
    package init(timeout: TimeAmount = .seconds(2), size: Int = 32, appName: String = "submergence") {
        self.commandTimeout = timeout
        self.connectTimeout = min(timeout, .seconds(2))
        self.selectionTimeout = min(timeout, .seconds(2))
        self.leaseTimeout = min(timeout, .seconds(2))
        self.majorityTimeout = timeout - timeout / 10
        self.size = size
        self.retriesWrites = true
        self.appName = appName
    }

    /// Renewals, on a pool of their own (SPEC ND-14).
    package static let renewals = MongoPoolOptions(timeout: .milliseconds(1500), size: 2)

    /// Making collections and indexes, which takes longer than any command of the running service.
    package static let setup = MongoPoolOptions(timeout: .seconds(60), size: 2)
}

extension TimeAmount {
    /// For the driver, which counts in whole milliseconds; at least one.
    var wholeMilliseconds: Int64 { max(1, self.nanoseconds / 1_000_000) }

    fileprivate static func / (amount: TimeAmount, divisor: Int64) -> TimeAmount {
        .nanoseconds(amount.nanoseconds / divisor)
    }
}
