import Routing

/// What a client is told of a `link` or `peer` that comes to nothing (SPEC LK-4, LK-16).
enum LinkError: String, Error, CaseIterable, Sendable {
    /// Not active, not a party, unknown, or denied.
    case forbidden = "FORBIDDEN"
    /// Of the wrong shape or size.
    case invalid = "INVALID"
    /// Nobody is there.
    case offline = "OFFLINE"
    case closed = "CLOSED"
    /// Over a rate or a limit, or the database cannot be asked.
    case busy = "BUSY"
    /// No decision in time.
    case timeout = "TIMEOUT"

    init(_ refusal: LinkOpening.Refusal) {
        switch refusal {
        case .offline: self = .offline
        case .full, .busy: self = .busy
        }
    }
}
