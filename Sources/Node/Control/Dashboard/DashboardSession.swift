import NIOCore

/// Somebody who has signed in to the dashboard with a control key.
struct DashboardSession: Sendable, Equatable {
    /// The key's name, and the hash of its secret: a key that is made anew under the same name is another one.
    let key: String
    let keyDigest: [UInt8]
    /// Names it where its secret must not be.
    let label: String
    /// What the page repeats with every request that changes something, and no other page can know.
    let csrf: String
    /// When it ends, whatever is done with it.
    let end: NIODeadline
    /// When it was used last.
    var used: NIODeadline
}
