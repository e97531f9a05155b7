/// The form of answers (SPEC AC-8), and the errors that every action may answer with (SPEC AC-12).
enum OpenAPIAnswers {
    private static let errors: [(code: Int, description: String, words: [JSONValue])] = [
        (
            400, "The request is malformed, or does not fit the action's schemas.",
            ["MALFORMED", "SCHEMA", "HOST", "IDENTITY", "URL"]
        ),
        (401, "The token is not taken.", ["TOKEN"]),
        (
            403, "The action's requirements are not met, or the request is from a foreign page.",
            ["GUEST", "LOGIN", "DOMESTIC", "FOREIGN"]
        ),
        (404, "There is nothing at the path.", ["NOT_FOUND"]),
        (405, "There is another method at the path; Allow names it.", ["METHOD"]),
        (408, "The body took too long to arrive.", ["SLOW"]),
        (413, "The body is too large, or none is taken.", ["TOO_LARGE"]),
        (415, "The body's type or encoding is not taken.", ["MEDIA_TYPE"]),
        (421, "The domain is not served here.", ["DOMAIN"]),
        (429, "The client asks for too much; Retry-After says when to come again.", ["RATE"]),
        (500, "The action failed; the id is in the server's log.", ["INTERNAL"]),
        (503, "The node is leaving, too busy, or without its database; try again.", ["UNAVAILABLE", "BUSY"]),
        (504, "The action took too long.", ["TIMEOUT"]),
    ]

    static let schemas: [String: JSONValue] = [
        "Events": [
            "description": "Each a name and its arguments.", "type": "array",
            "items": ["type": "array", "prefixItems": [["type": "string"]], "minItems": 1],
        ],
        "Answer": [
            "type": "object", "required": ["content", "events"],
            "properties": ["content": true, "events": ["$ref": "#/components/schemas/Events"]],
        ],
        "Error": [
            "type": "object", "required": ["content", "events"],
            "properties": [
                "events": ["$ref": "#/components/schemas/Events"],
                "content": [
                    "type": "object", "required": ["error"],
                    "properties": [
                        "error": ["type": "string", "description": "A word that programs compare."],
                        "at": ["type": "string", "description": "SCHEMA, MALFORMED: query or body."],
                        "path": ["type": "string", "description": "SCHEMA: a JSON pointer to what is wrong."],
                        "message": ["type": "string", "description": "SCHEMA, MALFORMED: what is wrong."],
                        "id": ["type": "string", "description": "INTERNAL: names the failure in the log."],
                    ],
                ],
            ],
        ],
    ]

    static var responses: JSONValue {
        var responses: [String: JSONValue] = [
            "Answer": [
                "description": "What the action answers.",
                "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Answer"]], "text/html": [:]],
            ],
            "Error": [
                "description": "Another answer of the action, often an error of its own.",
                "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Answer"]], "text/html": [:]],
            ],
        ]
        for error in self.errors {
            responses["Error\(error.code)"] = [
                "description": .string(error.description),
                "content": [
                    "application/json": [
                        "schema": [
                            "allOf": [
                                ["$ref": "#/components/schemas/Error"]
                            ],
                            "examples": .array(error.words.map { ["content": ["error": $0], "events": []] }),
                        ]
                    ]
                ],
            ]
        }
        return .object(responses)
    }
}
