/// The body of `POST /v1/kick` and `POST /v1/logout`: a person, or one device of theirs.
struct PersonCommand: Decodable, Sendable {
    /// nil: the only one there is.
    var domain: String?
    var user: String
    var client: String?
}
