/// Some value that fits a schema, for types that give their own.
enum SchemaSample {
    static func value<Value: Decodable>(of type: Value.Type, _ schema: JSONValue) -> Value? {
        for candidate in self.candidates(schema) {
            // A candidate that does not decode is none.
            if let value = try? candidate.decoded(as: type) { return value }
        }
        return nil
    }

    private static func candidates(_ schema: JSONValue) -> [JSONValue] {
        var found: [JSONValue] = []
        for keyword in ["examples", "enum"] {
            if case .array(let values) = schema[keyword] { found += values }
        }
        found += ["const", "default"].compactMap { schema[$0] }
        for keyword in ["anyOf", "oneOf"] {
            if case .array(let schemas) = schema[keyword] { found += schemas.flatMap(self.candidates) }
        }
        found += self.plain(schema).map { [$0] } ?? []
        return found
    }

    private static func plain(_ schema: JSONValue) -> JSONValue? {
        var type = schema["type"]?.string
        if type == nil, case .array(let types) = schema["type"] { type = types.first?.string }
        switch type {
        case "string":
            return switch schema["format"]?.string {
            case "date-time": "1970-01-01T00:00:00Z"
            case "date": "1970-01-01"
            case "time": "00:00:00Z"
            case "email": "a@example.org"
            case "uuid": "00000000-0000-0000-0000-000000000000"
            case "uri": "urn:x"
            case "ipv4": "192.0.2.1"
            case "ipv6": "::1"
            default: .string(String(repeating: "a", count: min(Int(schema["minLength"]?.int ?? 0), 1_000)))
            }
        case "integer", "number": return schema["minimum"] ?? 0
        case "boolean": return false
        case "array": return []
        case "object":
            guard case .array(let names) = schema["required"] ?? [] else { return nil }
            var members: [String: JSONValue] = [:]
            for name in names.compactMap(\.string) {
                members[name] = schema["properties"]?[name].flatMap { self.candidates($0).first } ?? .null
            }
            return .object(members)
        case "null": return .null
        default: return nil
        }
    }
}
