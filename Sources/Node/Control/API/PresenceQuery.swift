/// The query of `GET /v1/active`.
struct PresenceQuery: Decodable, Sendable {
    /// nil: the only one there is.
    var domain: String?
    var user: String
    var client: String?
}
