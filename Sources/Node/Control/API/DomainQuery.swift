/// The query of `GET /v1/cluster`.
struct DomainQuery: Decodable, Sendable {
    /// nil: all, or the only one of the key that asks.
    var domain: String?
}
