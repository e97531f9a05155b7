internal import HTTPTypes

/// CORS for actions (SPEC TR-5): by a list of origins, never `*`.
package struct ActionCrossOrigin: Sendable {
    private let patterns: [OriginPattern]
    private let credentials: Bool
    private let lifespan: Int

    package static let off = ActionCrossOrigin(HTTPOptions())

    /// - Parameter options: checked.
    init(_ options: HTTPOptions) {
        self.patterns = options.allowedOrigins.compactMap { OriginPattern($0) }
        self.credentials = options.allowsCredentials
        self.lifespan = options.preflightLifespan
    }

    /// The fields of the answer to a preflight, which is 204 whatever it asks: without the fields, the browser refuses.
    /// - Returns: nil for any other request.
    func preflight(_ method: HTTPRequest.Method, _ headers: some HeaderView) -> HTTPFields? {
        guard method == .options, !headers.values("access-control-request-method").isEmpty else { return nil }
        var fields: HTTPFields = [.xContentTypeOptions: "nosniff"]
        fields[.vary] = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        guard self.apply(to: &fields, headers) else { return fields }
        let names = headers.values("access-control-request-headers").flatMap { $0.split(separator: ",") }
            .map { Self.trimmed($0) }
        guard let requested = headers.single("access-control-request-method"), CookieHeader.isToken(requested),
            names.allSatisfy({ CookieHeader.isToken($0) })
        else { return fields }
        fields[.accessControlAllowMethods] = requested
        if !names.isEmpty { fields[.accessControlAllowHeaders] = names.joined(separator: ", ") }
        fields[.accessControlMaxAge] = String(self.lifespan)
        return fields
    }

    /// Names the request's origin in its answer, if the list has it, and says that the answer depends on it.
    @discardableResult
    func apply(to fields: inout HTTPFields, _ headers: some HeaderView) -> Bool {
        guard !self.patterns.isEmpty else { return false }
        let vary = fields[.vary]
        if vary?.contains("Origin") != true { fields[.vary] = vary.map { $0 + ", Origin" } ?? "Origin" }
        guard let origin = headers.single("origin"), self.patterns.contains(where: { $0.matches(origin) }) else {
            return false
        }
        fields[.accessControlAllowOrigin] = origin
        if self.credentials { fields[.accessControlAllowCredentials] = "true" }
        return true
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let edge = text.first, edge == " " || edge == "\t" { text.removeFirst() }
        while let edge = text.last, edge == " " || edge == "\t" { text.removeLast() }
        return text
    }
}
