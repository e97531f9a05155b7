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
            let path = OpenAPIPath(action.path)?.template ?? action.path.description
            paths[path, default: [:]][method] = self.operation(endpoint, action)
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
        var parameters = (OpenAPIPath(action.path)?.names ?? []).map { name in
            ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]] as JSONValue
        }
        if endpoint.scope == .send { parameters += [self.idempotencyKey, self.traceParent] }
        if action.method == .put { parameters.append(self.ifMatch) }
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
                parameters += properties.sorted { $0.key < $1.key }.map { name, schema -> JSONValue in
                    [
                        "name": .string(name), "in": "query", "required": .bool(required.contains(name)),
                        "schema": schema,
                    ]
                }
            }
        }
        if !parameters.isEmpty { members["parameters"] = .array(parameters) }
        return .object(members)
    }

    private static let idempotencyKey: JSONValue = [
        "name": "Idempotency-Key", "in": "header", "required": false,
        "schema": ["type": "string", "minLength": 1, "maxLength": .int(Int64(IdempotencyKeys.longest))],
        "description":
            "Which request it is: one that is repeated with the same key and body, on any node, is answered as the first one, and not carried out again.",
    ]

    private static let traceParent: JSONValue = [
        "name": "traceparent", "in": "header", "required": false, "schema": ["type": "string"],
        "description":
            "The trace that the request belongs to (W3C Trace Context). One that is sampled is written down for `submergence why` on all nodes; one that is not of the form is ignored.",
    ]

    private static let ifMatch: JSONValue = [
        "name": "If-Match", "in": "header", "required": false, "schema": ["type": "string"],
        "description": "The ETag of what is to be replaced, in place of `version` in the body.",
    ]

    private static let errors: [(code: Int, description: String)] = [
        (
            400,
            "The body does not fit its schema (SCHEMA), or what it names cannot be: IDENTITY, RESERVED, EVENT, IDEMPOTENCY_KEY, CONFIGURATION, IF_MATCH."
        ),
        (401, "No control key, or one that is not known (KEY)."),
        (403, "The key lacks the scope (SCOPE), or is for another domain (DOMAIN)."),
        (404, "There is no such request (NOT_FOUND), or the domain is not served (DOMAIN)."),
        (
            409,
            "The first request with this Idempotency-Key has no answer yet (UNDER_WAY), or the node has no secret to sign requests by (SECRET)."
        ),
        (412, "Another version is stored than the one that was to be replaced (VERSION)."),
        (413, "The body is too large (TOO_LARGE)."),
        (422, "This Idempotency-Key was used for another request (IDEMPOTENCY_KEY)."),
        (429, "The key asks too fast (RATE): Retry-After says when to come again."),
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
