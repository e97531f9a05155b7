/// The body of `POST /v1/active`: many people at once.
struct PresenceCommand: Decodable, Sendable {
    var domain: String?
    var users: [String]

    static let most = 1_000
}

extension PresenceCommand: JSONSchemaProviding {
    static var jsonSchema: ActionSchema {
        [
            "type": "object", "required": ["users"], "additionalProperties": false,
            "properties": [
                "domain": ["type": "string"],
                "users": [
                    "type": "array", "minItems": 1, "maxItems": .int(Int64(self.most)), "items": ["type": "string"],
                ],
            ],
            "examples": [["users": ["alice", "bob"]]],
        ]
    }
}
