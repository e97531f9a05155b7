/// Actions over HTTP.
public struct HTTPOptions: Sendable, Equatable {
    /// Pages of which other origins may read the answers of actions (SPEC TR-5): `https://app.example`, with a port where it
    /// is not the scheme's own, or `https://*.app.example` for every host below. They are never domestic. Default none. The
    /// engine path has a list of its own, ``TransportOptions/crossOrigin``.
    public var allowedOrigins: [String]
    /// Whether they may send cookies. Default false.
    public var allowsCredentials: Bool
    /// Seconds that a browser may remember the answer to a preflight, 0 to a day. Default 600.
    public var preflightLifespan: Int

    public init(allowedOrigins: [String] = [], allowsCredentials: Bool = false, preflightLifespan: Int = 600) {
        self.allowedOrigins = allowedOrigins
        self.allowsCredentials = allowsCredentials
        self.preflightLifespan = preflightLifespan
    }

    /// What is wrong with the options, in words; nil when nothing is.
    var complaint: String? {
        for text in self.allowedOrigins where OriginPattern(text) == nil {
            return "\(text) is not an origin (https://host, with a port where needed)"
        }
        if self.allowsCredentials, self.allowedOrigins.isEmpty { return "credentials are of no use without origins" }
        return (0...86_400).contains(self.preflightLifespan) ? nil : "preflightLifespan must be 0 to 86,400"
    }
}
