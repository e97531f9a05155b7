/// Why a Link was closed (SPEC LK-14). The raw value is the wire form between nodes and in documents; never renumber.
package enum LinkCloseReason: UInt8, Sendable, CaseIterable {
    /// By a connection of a party, or the application.
    case closed = 1
    /// A party had no connection any more (SPEC LK-13).
    case offline = 2
    case logout = 3
    case kick = 4

    /// As clients are told.
    package var name: String {
        switch self {
        case .closed: "CLOSED"
        case .offline: "OFFLINE"
        case .logout: "LOGOUT"
        case .kick: "KICK"
        }
    }
}
