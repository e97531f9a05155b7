/// Who of some people is there (SPEC EV-6), read from the database.
struct PresenceAnswer: Encodable, Sendable {
    struct Person: Encodable, Sendable {
        let user: String
        /// Some connection is on a node that is not held to be dead.
        let active: Bool
        let devices: [Device]
    }

    struct Device: Encodable, Sendable {
        let client: String
        let connections: Int
        /// Names, or ids, of the nodes that have them.
        let nodes: [String]
        /// One for each connection, oldest first; nil where they are not asked for.
        let tabs: [Tab]?
    }

    /// A connection.
    struct Tab: Encodable, Sendable {
        let sid: String
        /// The page instance, which stays over reconnects.
        let endpoint: String
        /// Name, or id.
        let node: String
        /// Milliseconds since 1970.
        let since: Int64
    }

    let users: [Person]
}
