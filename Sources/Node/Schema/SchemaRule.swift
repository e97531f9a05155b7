/// What one keyword, or a few that belong together, ask of a value. Schemas are named by their place in the compiled list.
enum SchemaRule: Sendable {
    enum Bound: Sendable {
        case minimum, maximum, exclusiveMinimum, exclusiveMaximum
    }

    /// `properties`, `patternProperties` and `additionalProperties`, which depend on each other.
    struct Members: Sendable {
        /// By name, in order.
        let properties: [(name: String, schema: Int)]
        let patterns: [(pattern: TextPattern, schema: Int)]
        let rest: Int?
        let names: Set<String>

        init(
            properties: [(name: String, schema: Int)], patterns: [(pattern: TextPattern, schema: Int)], rest: Int?
        ) {
            self.properties = properties
            self.patterns = patterns
            self.rest = rest
            self.names = Set(properties.map(\.name))
        }
    }

    case never
    case types(SchemaTypes)
    case constant(ExactJSON)
    case allowed(Set<ExactJSON>)
    case bound(Bound, JSONValue)
    case multipleOf(JSONNumber.Decimal)
    case minLength(Int)
    case maxLength(Int)
    case pattern(TextPattern)
    case format(SchemaFormat)
    case minItems(Int)
    case maxItems(Int)
    case uniqueItems
    case items(prefix: [Int], rest: Int?)
    case contains(Int, min: Int, max: Int?)
    case minProperties(Int)
    case maxProperties(Int)
    case required([String])
    case dependentRequired([(name: String, required: [String])])
    case members(Members)
    case propertyNames(Int)
    // From here on schemas that are applied to the same value.
    case dependentSchemas([(name: String, schema: Int)])
    case reference(Int)
    case all([Int])
    case any([Int])
    case one([Int])
    case not(Int)
    case condition(Int, then: Int?, else: Int?)

    /// The schemas that it applies to the value itself, not to a part of it.
    var inPlace: [Int] {
        switch self {
        case .reference(let schema), .not(let schema): [schema]
        case .all(let schemas), .any(let schemas), .one(let schemas): schemas
        case .condition(let test, let then, let other): [test] + [then, other].compactMap(\.self)
        case .dependentSchemas(let entries): entries.map(\.schema)
        case .never, .types, .constant, .allowed, .bound, .multipleOf, .minLength, .maxLength, .pattern, .format,
            .minItems, .maxItems, .uniqueItems, .items, .contains, .minProperties, .maxProperties, .required,
            .dependentRequired, .members, .propertyNames:
            []
        }
    }
}
