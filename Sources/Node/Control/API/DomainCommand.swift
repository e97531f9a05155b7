/// The body of `PUT /v1/config/{domain}`: a configuration, and which version it replaces.
struct DomainCommand: Sendable, Equatable {
    let version: Int64
    let configuration: JSONValue

    /// Bytes of a body.
    static let longest = 262_144

    /// - Parameters:
    ///   - body: as the schema has let it pass.
    ///   - ifMatch: the value of `If-Match`.
    init(body: JSONValue, ifMatch: String?) throws(ActionError) {
        self.configuration = body["configuration"] ?? [:]
        let named = body["version"]?.double.flatMap { Int64(exactly: $0) }
        guard let ifMatch else {
            guard let named else {
                throw .schema(
                    at: "body", path: "/version", message: "is required, or If-Match: 0 where nothing is stored")
            }
            self.version = named
            return
        }
        guard let matched = Self.version(of: ifMatch), named == nil || named == matched else {
            throw ActionError(
                400, "IF_MATCH",
                ["message": "If-Match takes one ETag of a configuration, and the version where the body has it"])
        }
        self.version = matched
    }

    /// - Parameter tag: `"7"`.
    private static func version(of tag: String) -> Int64? {
        guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\"") else { return nil }
        return Int64(tag.dropFirst().dropLast()).flatMap { $0 < 0 ? nil : $0 }
    }

    static let schema: JSONValue = [
        "type": "object", "required": ["configuration"], "additionalProperties": false,
        "properties": [
            "version": [
                "type": "integer", "minimum": 0,
                "description": "Of what is to be replaced, as GET tells it; 0 where nothing is stored.",
            ],
            "configuration": [
                "type": "object",
                "description":
                    "target, hooks, actions: see docs/webhooks.md. Every mistake in it is named, as CONFIGURATION with mistakes: [{path, message}].",
            ],
        ],
        "examples": [
            [
                "version": 0,
                "configuration": [
                    "target": "https://backend.app.example/hooks", "hooks": ["presence"],
                    "actions": ["POST /posts/:id"],
                ],
            ]
        ],
    ]
}
