/// The body of `POST /v1/events`: many events in one request. They are sent in their order, each answered by itself.
struct EventsCommand: Decodable, Sendable {
    var events: [EventCommand]

    static let most = 1_000
}

extension EventsCommand: JSONSchemaProviding {
    static var jsonSchema: ActionSchema {
        [
            "type": "object", "required": ["events"], "additionalProperties": false,
            "properties": [
                "events": [
                    "type": "array", "minItems": 1, "maxItems": .int(Int64(self.most)), "items": EventCommand.schema,
                ]
            ],
            "examples": [["events": [["user": "alice", "event": ["message", "hello"]]]]],
        ]
    }
}
