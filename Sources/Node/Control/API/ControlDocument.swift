import NIOCore

/// OpenAPI 3.1 of the control API, as `/v1/openapi.json` on the control listener shows it.
enum ControlDocument {
    /// - Parameters:
    ///   - endpoints: in the order of the document.
    ///   - router: that serves them: it has compiled their schemas.
    static func json(_ endpoints: [ControlEndpoint], _ router: ActionRouter) -> JSONValue {
        var paths: [String: [String: JSONValue]] = [:]
        for (endpoint, action) in zip(endpoints, router.actions) {
            let method = (action.method ?? .get).rawValue.lowercased()
            paths[action.path.description, default: [:]][method] = self.operation(endpoint, action)
        }
        return [
            "openapi": "3.1.0",
            "info": ["title": "submergence control API", "version": .string(Version.text)],
            "security": [["key": []]],
            "paths": .object(paths.mapValues { .object($0) }),
            "components": [
                "securitySchemes": [
                    "key": [
                        "type": "http", "scheme": "bearer",
                        "description":
                            "A control key, made by `submergence keys create`. In development mode none is asked for.",
                    ]
                ],
                "schemas": [
                    "Error": [
                        "type": "object", "required": ["error"],
                        "properties": [
                            "error": ["type": "string", "description": "A word that programs compare."],
                            "path": ["type": "string", "description": "SCHEMA: a JSON pointer to what is wrong."],
                            "message": ["type": "string"],
                        ],
                    ]
                ],
            ],
        ]
    }

    private static func operation(_ endpoint: ControlEndpoint, _ action: Action) -> JSONValue {
        var members: [String: JSONValue] = [
            "summary": .string(endpoint.summary),
            "description": .string("Needs a key with the scope `\(endpoint.scope.rawValue)`."),
            "responses": .object(self.responses),
        ]
        if case .object(let published) = action.schemas?.published {
            if let body = published["body"] {
                members["requestBody"] = [
                    "required": true, "content": ["application/json": ["schema": body]],
                ]
            }
            if case .object(let properties) = published["query"]?["properties"] {
                var required: Set<String> = []
                if case .array(let names) = published["query"]?["required"] {
                    required.formUnion(names.compactMap(\.string))
                }
                members["parameters"] = .array(
                    properties.sorted { $0.key < $1.key }.map { name, schema in
                        [
                            "name": .string(name), "in": "query", "required": .bool(required.contains(name)),
                            "schema": schema,
                        ]
                    })
            }
        }
        return .object(members)
    }

    private static let errors: [(code: Int, description: String)] = [
        (400, "The body does not fit its schema (SCHEMA), or what it names cannot be: IDENTITY, RESERVED, EVENT."),
        (401, "No control key, or one that is not known (KEY)."),
        (403, "The key lacks the scope (SCOPE), or is for another domain (DOMAIN)."),
        (404, "There is no such request (NOT_FOUND), or the domain is not served (DOMAIN)."),
        (413, "The body is too large (TOO_LARGE)."),
        (503, "The node has no lease, or its database does not answer (UNAVAILABLE), or it is too busy (BUSY)."),
    ]

    private static var responses: [String: JSONValue] {
        var responses: [String: JSONValue] = [
            "200": ["description": "Done.", "content": ["application/json": ["schema": ["type": "object"]]]]
        ]
        for error in self.errors {
            responses[String(error.code)] = [
                "description": .string(error.description),
                "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]],
            ]
        }
        return responses
    }
}

extension StaticPages {
    /// `/v1/openapi.json` on the control listener.
    static func controlAPI(_ endpoints: [ControlEndpoint], _ router: ActionRouter) -> StaticPages {
        var text = ByteBuffer()
        ControlDocument.json(endpoints, router).write(to: &text)
        return StaticPages(prefix: "/v1/", files: ["openapi.json": Array(text.readableBytesView)])
    }
}
