/// An answer that is an error, thrown by a handler or made by the pipeline (SPEC AC-12).
///
/// ```swift
/// guard post.owner == agent.user else { throw ActionError(403, "OWNER") }
/// ```
public struct ActionError: Error, Sendable, Equatable {
    public let status: Int
    /// At least `{"error": …}`.
    public let content: JSONValue

    /// - Parameters:
    ///   - status: 400 to 599; anything else becomes 500.
    ///   - error: a word that programs compare.
    ///   - details: further members of the content.
    public init(_ status: Int, _ error: String, _ details: [String: JSONValue] = [:]) {
        self.status = (400...599).contains(status) ? status : 500
        self.content = .object(details.merging(["error": .string(error)]) { $1 })
    }

    var code: String { self.content["error"]?.string ?? "ERROR" }

    static let notFound = ActionError(404, "NOT_FOUND")
    static let badRequest = ActionError(400, "MALFORMED")
    static let tooLarge = ActionError(413, "TOO_LARGE")
    static let unsupported = ActionError(415, "MEDIA_TYPE")
    static let misdirected = ActionError(421, "DOMAIN")
    static let badHost = ActionError(400, "HOST")
    /// A bearer token that is not taken; why is in the metrics.
    static let token = ActionError(401, "TOKEN")
    static let slowBody = ActionError(408, "SLOW")
    /// Faster than a socket or an address may (SPEC LK-17).
    static let overRate = ActionError(429, "RATE")
    static let unavailable = ActionError(503, "UNAVAILABLE")
    static let busy = ActionError(503, "BUSY")
    static let timeout = ActionError(504, "TIMEOUT")

    static func schema(at: String, path: String, message: String) -> ActionError {
        ActionError(400, "SCHEMA", ["at": .string(at), "path": .string(path), "message": .string(message)])
    }
}
