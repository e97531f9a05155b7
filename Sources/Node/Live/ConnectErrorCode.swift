/// Messages of CONNECT_ERROR (SPEC §8). The last two are temporary and told so only to clients that retry (ND-13).
enum ConnectErrorCode: String, Sendable, CaseIterable {
    case login = "LOGIN"
    case foreign = "FOREIGN"
    case domain = "DOMAIN"
    case version = "VERSION"
    case busy = "BUSY"
    case unavailable = "UNAVAILABLE"
}
