/// How long an identity may hold a socket (SPEC ID-16), in milliseconds since 1970; `Int64.max`: without end.
struct Warrant: Sendable, Hashable {
    /// When the client is asked to renew.
    let ask: Int64
    /// When the connection ends.
    let end: Int64

    /// Of an identity that development mode believed.
    static let endless = Warrant(ask: .max, end: .max)
}
