/// Whether a send asks every node that has connections of the user what it has written to them (SPEC EV-2).
public enum SendConfirmation: Sendable, Hashable {
    case none
    /// The send returns when all have answered, or when that time is over: what is not known by then is unknown.
    case within(Duration)

    /// Within 2 s.
    public static let asked = SendConfirmation.within(.seconds(2))
}
