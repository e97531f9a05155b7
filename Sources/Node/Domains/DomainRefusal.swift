/// Why a domain's configuration is not stored.
enum DomainRefusal: Error, Sendable, Equatable {
    /// Another version is stored than the one that was to be replaced; 0: none.
    case stale(version: Int64)
    case mistakes(DomainMistakes)
    /// There is a target, and nothing to sign requests by.
    case secret(why: String)
}
