/// The body of `POST /v1/sessions`: who is to be logged in.
struct SessionCommand: Decodable, Sendable {
    /// nil: the only one there is.
    var domain: String?
    var user: String
    var client: String
    /// Whether the cookies outlive the browser.
    var remember: Bool?
}
