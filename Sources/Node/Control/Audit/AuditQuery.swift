/// The query of `GET /v1/audit`, and what nodes ask each other for it.
struct AuditQuery: Codable, Sendable {
    /// nil: all, or the only one of the key that asks.
    var domain: String?
    /// Only what this key has done.
    var key: String?
    /// Entries, the newest ones.
    var limit: Int?

    static let usual = 100
    static let most = 500

    /// What is asked of a node by another one, which is not believed more than anybody else.
    var clamped: AuditQuery {
        AuditQuery(domain: self.domain, key: self.key, limit: min(max(self.limit ?? Self.usual, 1), Self.most))
    }
}

extension AuditQuery: JSONSchemaProviding {
    static var jsonSchema: ActionSchema {
        [
            "type": "object", "additionalProperties": false,
            "properties": [
                "domain": ["type": "string"], "key": ["type": "string"],
                "limit": ["type": "integer", "minimum": 1, "maximum": .int(Int64(self.most))],
            ],
        ]
    }
}
