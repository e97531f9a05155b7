/// Why an agent's session could not be changed (SPEC ID-10 to ID-12).
public enum SessionError: Error, Sendable, Equatable {
    /// A login needs a user and a client: given, or known from an idle session.
    case identityMissing
    /// A user or client ID is not 1 to 128 bytes of UTF-8 without control characters.
    case identityInvalid
    /// The agent has no session of its own to change, as it did not come through a request.
    case detached
    /// A page of another site would log its visitor in.
    case foreignOrigin
    /// MongoDB or the bus did not take it in time. What was begun is repeated in the background.
    case unavailable(String)
}

extension SessionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .identityMissing: "a login needs a user and a client"
        case .identityInvalid: "a user or client ID must be 1 to 128 bytes of UTF-8 without control characters"
        case .detached: "the agent has no session that could change"
        case .foreignOrigin: "a page of another site may not log in"
        case .unavailable(let why): "the session could not be changed: \(why)"
        }
    }
}
