import Routing

/// One change of announced presence (SPEC LC-3, EV-7).
///
/// Each change runs once while its node lives; a crash between handler and acknowledgement repeats it on another node, with
/// the same ``sequence``.
public struct Presence: Sendable, Hashable {
    public enum Change: String, Sendable, Hashable, CaseIterable {
        case userOnline, clientOnline, clientOffline, userOffline
    }

    public let change: Change
    public let domain: String
    public let user: String
    /// The device for `clientOnline` and `clientOffline`; nil for the user's own.
    public let client: String?
    /// Consecutive per user: one not newer than the last handled is a repeat and may be ignored.
    public let sequence: Int64
}

/// The hook that runs when a connection has come live (SPEC LC-5, EV-7).
public struct ConnectionHook: Sendable {
    public static let liveConnection = ConnectionHook()
}

public typealias PresenceHandler = @Sendable (Presence) async throws -> Void

extension Presence.Change {
    init(_ kind: RouteTransition.Kind) {
        switch kind {
        case .userOnline: self = .userOnline
        case .clientOnline: self = .clientOnline
        case .clientOffline: self = .clientOffline
        case .userOffline: self = .userOffline
        }
    }
}
