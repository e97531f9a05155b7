package import Wire

/// What the last connection of a party leaves of the party's Links (SPEC LK-13).
package enum LinkDeparture: Sendable, Equatable {
    /// They wait for it to come back, in milliseconds.
    case grace(Int64)
    /// They are closed.
    case close(LinkCloseReason)

    /// By itself, with no grace.
    package static var atOnce: LinkDeparture { .close(.offline) }
}
