/// Which pages of other origins may use the engine path (SPEC TR-5, SOCKETIO §2.5).
public struct CrossOriginOptions: Sendable, Equatable {
    public enum Origins: Sendable, Equatable {
        /// No CORS at all.
        case off
        /// `*` for everybody; not with credentials.
        case any
        /// Whatever origin asks is named in the answer. With credentials every page on the web may act for its visitor.
        case reflect
        /// These, as `https://app.example`, with a port where it is not the scheme's own, or `https://*.app.example` for
        /// every host below. It also governs WebSocket, which browsers do not hold to CORS, and pages that it names may
        /// connect like the domain's own (SPEC ID-18), though never as domestic.
        case list([String])
    }

    /// Default off.
    public var origins: Origins
    /// Whether pages may send cookies. Default false.
    public var credentials: Bool
    /// Whether, with a list, a WebSocket without `Origin` is refused: no browser leaves it out. Default false.
    public var requiresOrigin: Bool

    public init(origins: Origins = .off, credentials: Bool = false, requiresOrigin: Bool = false) {
        self.origins = origins
        self.credentials = credentials
        self.requiresOrigin = requiresOrigin
    }

    var complaint: String? {
        switch self.origins {
        case .off: return self.credentials ? "credentials are of no use without origins" : nil
        case .any: return self.credentials ? "credentials cannot be combined with the origin *" : nil
        case .reflect: return nil
        case .list(let origins):
            if origins.isEmpty { return "the list of origins is empty" }
            for text in origins where OriginPattern(text) == nil {
                return "\(text) is not an origin (https://host, with a port where needed)"
            }
            return nil
        }
    }
}
