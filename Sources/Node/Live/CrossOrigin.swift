import HTTPTypes
import NIOCore

/// CORS on the engine path (SOCKETIO §2.5, SPEC TR-5).
struct CrossOrigin: Sendable {
    private enum Rule: Sendable {
        case off, any, reflect
        case list([OriginPattern])
    }

    private let rule: Rule
    private let credentials: Bool
    private let requiresOrigin: Bool

    private static let methods = "GET,HEAD,PUT,PATCH,POST,DELETE"

    /// - Parameter options: checked.
    init(_ options: CrossOriginOptions) {
        self.rule =
            switch options.origins {
            case .off: .off
            case .any: .any
            case .reflect: .reflect
            case .list(let origins): .list(origins.compactMap { OriginPattern($0) })
            }
        self.credentials = options.credentials
        self.requiresOrigin = options.requiresOrigin
    }

    private var isOff: Bool { if case .off = self.rule { true } else { false } }

    /// - Returns: the answer to a preflight; nil for any other request.
    func preflight(_ head: HTTPRequest) -> EngineAnswer? {
        guard !self.isOff, head.method == .options else { return nil }
        var answer = EngineAnswer(status: 204, contentType: nil, body: ByteBuffer())
        answer.extra[.accessControlAllowMethods] = Self.methods
        if let requested = head.headerFields[.accessControlRequestHeaders] {
            answer.extra[.accessControlAllowHeaders] = requested
        }
        answer.addVary("Access-Control-Request-Headers")
        return answer
    }

    /// - Parameter origins: the request's `Origin` fields.
    func apply(to answer: inout EngineAnswer, origins: [String]) {
        switch self.rule {
        case .off: return
        case .any: answer.extra[.accessControlAllowOrigin] = "*"
        case .reflect, .list:
            answer.addVary("Origin")
            guard let origin = self.allowed(origins) else { return }
            answer.extra[.accessControlAllowOrigin] = origin
            if self.credentials { answer.extra[.accessControlAllowCredentials] = "true" }
        }
    }

    private func allowed(_ origins: [String]) -> String? {
        guard origins.count == 1, let origin = origins.first else { return nil }
        if case .reflect = self.rule { return origin }
        return self.names(origins) ? origin : nil
    }

    /// Whether the list names the origin: then its pages may connect (SPEC ID-18).
    func names(_ origins: [String]) -> Bool {
        guard case .list(let patterns) = self.rule, origins.count == 1 else { return false }
        return patterns.contains { $0.matches(origins[0]) }
    }

    /// Whether a WebSocket of that origin may be opened: a list holds for those, too, since browsers do not hold them to
    /// CORS (CVE-2019-13611).
    func allowsWebSocket(_ standing: DomainTable.OriginStanding, origins: [String]) -> Bool {
        guard case .list = self.rule else { return true }
        return switch standing {
        case .own: true
        case .absent: !self.requiresOrigin
        case .foreign: self.names(origins)
        }
    }
}
