/// The body of `POST /v1/event`: one event to one or several people.
struct EventCommand: Decodable, Sendable {
    /// nil: the only one there is.
    var domain: String?
    var user: String?
    var users: [String]?
    /// Only this device of each.
    var client: String?
    /// Name and arguments, as a client gets them.
    var event: [JSONValue]
    var delivery: Delivery?
    /// Of `latest` delivery.
    var key: String?
    /// Asks the nodes what they have written, for up to so many seconds.
    var confirm: Double?

    enum Delivery: String, Decodable, CaseIterable, Sendable { case required, volatile, latest }

    static let mostUsers = 10_000
    static let longestConfirmation = 30.0

    /// The people that it is for, each once, in their order.
    func recipients() throws(ActionError) -> [String] {
        var seen: Set<String> = []
        let users = ((self.users ?? []) + [self.user].compactMap(\.self)).filter { seen.insert($0).inserted }
        guard !users.isEmpty else { throw .schema(at: "body", path: "/user", message: "names nobody") }
        return users
    }

    func name() throws(ActionError) -> String {
        guard let name = self.event.first?.string else {
            throw .schema(at: "body", path: "/event/0", message: "must be the name of the event")
        }
        return name
    }

    func mode() throws(ActionError) -> EventDelivery {
        switch self.delivery ?? .required {
        case .required: return .required
        case .volatile: return .volatile
        case .latest:
            guard let key = self.key else {
                throw .schema(at: "body", path: "/key", message: "is required where delivery is latest")
            }
            return .latest(key)
        }
    }

    var confirmation: SendConfirmation { self.confirm.map { .within(.seconds($0)) } ?? .none }
}

extension EventCommand: JSONSchemaProviding {
    static var jsonSchema: ActionSchema { ActionSchema(self.schema) }

    static var schema: JSONValue {
        [
            "type": "object", "required": ["event"], "additionalProperties": false,
            "properties": [
                "domain": ["type": "string"],
                "user": ["type": "string"],
                "users": ["type": "array", "items": ["type": "string"], "maxItems": .int(Int64(self.mostUsers))],
                "client": ["type": "string"],
                "event": ["type": "array", "minItems": 1],
                "delivery": ["enum": .array(Delivery.allCases.map { .string($0.rawValue) })],
                "key": ["type": "string"],
                "confirm": ["type": "number", "exclusiveMinimum": 0, "maximum": .double(self.longestConfirmation)],
            ],
            "examples": [["user": "alice", "event": ["message", ["text": "hello"]]]],
        ]
    }
}
