/// The query of `GET /v1/stream`.
struct StreamQuery: Decodable, Sendable {
    /// nil: all, or the only one of the key that asks.
    var domain: String?
    /// Seconds between two events.
    var every: Double?

    static let usual = 2.0
    static let shortest = 1.0
    static let longest = 60.0
}

extension StreamQuery: JSONSchemaProviding {
    static var jsonSchema: ActionSchema {
        [
            "type": "object", "additionalProperties": false,
            "properties": [
                "domain": ["type": "string"],
                "every": ["type": "number", "minimum": .double(self.shortest), "maximum": .double(self.longest)],
            ],
        ]
    }
}
