/// What the application says to a request for a Link (SPEC LK-4, EV-7).
public enum LinkDecision: Sendable {
    /// The requester hears FORBIDDEN.
    case deny
    /// All connections of the two may signal each other: of both users or, with a client, of that device and the requester's.
    /// - Parameters:
    ///   - info: what the other side is to know the requester by, its `query`. At most 16 KiB as JSON. User, client and address
    ///     of the requester are not disclosed unless they are in it (LK-6).
    case allow(user: String, client: String? = nil, info: JSONValue = [:])
}

/// The hook that judges requests for Links; without one every request is denied (SPEC LK-4).
public struct LinkHook: Sendable {
    public static let peerRequest = LinkHook()
}

/// - Parameters:
///   - agent: who asks; active.
///   - query: whatever the client has sent: it is the client's word, and nothing else.
public typealias PeerRequestHandler = @Sendable (_ agent: Agent, _ query: JSONValue) async throws -> LinkDecision
