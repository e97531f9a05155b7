/// What a client must be to open a live connection (SPEC ID-18).
public enum LiveRequirement: String, Sendable, Hashable, CaseIterable {
    /// Logged in.
    case active
    /// Known, logged in or not. Who is not is connected as nobody: events to its user do not reach it.
    case identified
    /// Anybody. Who is not logged in is connected as nobody.
    case nothing

    func admits(_ finding: SocketFinding) -> Bool {
        switch finding {
        case .guest: self == .nothing
        case .idle: self != .active
        case .known, .refused, .foreign, .unavailable: false
        }
    }
}
