/// What the keywords of draft 2020-12 are to the compiler, and where schemas stand in schemas.
enum SchemaKeyword {
    enum Place: Sendable {
        /// The value is a schema.
        case schema
        /// An array of schemas.
        case list
        /// An object whose members are schemas.
        case map
    }

    /// Say nothing to a validator, or nothing that it asserts.
    static let annotations: Set<String> = [
        "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
        "contentEncoding", "contentMediaType", "contentSchema",
    ]

    /// Of the draft, and would change what is valid.
    static let unsupported: Set<String> = [
        "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary", "$recursiveRef", "$recursiveAnchor",
        "unevaluatedItems", "unevaluatedProperties", "additionalItems", "dependencies",
    ]

    static let places: [String: Place] = [
        "$defs": .map, "definitions": .map, "properties": .map, "patternProperties": .map, "dependentSchemas": .map,
        "additionalProperties": .schema, "propertyNames": .schema, "items": .schema, "contains": .schema,
        "not": .schema, "if": .schema, "then": .schema, "else": .schema, "prefixItems": .list, "allOf": .list,
        "anyOf": .list, "oneOf": .list,
    ]

    /// The rest of what is supported.
    static let assertions: Set<String> = [
        "$ref", "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "minContains",
        "maxContains", "minProperties", "maxProperties", "required", "dependentRequired",
    ]

    static let dialect = "https://json-schema.org/draft/2020-12/schema"

    /// Changes the references in a schema.
    static func mapReferences(in schema: JSONValue, _ change: (String) -> String) -> JSONValue {
        guard case .object(var members) = schema else { return schema }
        if let reference = members["$ref"]?.string { members["$ref"] = .string(change(reference)) }
        for (keyword, place) in self.places {
            switch (place, members[keyword]) {
            case (.schema, .some(let inner)): members[keyword] = self.mapReferences(in: inner, change)
            case (.list, .array(let elements)):
                members[keyword] = .array(elements.map { self.mapReferences(in: $0, change) })
            case (.map, .object(let entries)):
                members[keyword] = .object(entries.mapValues { self.mapReferences(in: $0, change) })
            default: break
            }
        }
        return .object(members)
    }
}
