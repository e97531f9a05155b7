/// A type that says itself what JSON it decodes, where that cannot be seen from how it does so: enumerations that are not
/// `CaseIterable`, or with associated values, and types with a decoder of their own that tries one thing after the other.
///
/// ```swift
/// extension Colour: JSONSchemaProviding {
///     static var jsonSchema: ActionSchema { ["type": "string", "pattern": "^[0-9a-f]{6}$", "examples": ["ffffff"]] }
/// }
/// ```
///
/// A schema that refers to its own `$defs` can only stand for a whole body or query. To find the schema of a type that has
/// such a property, a value of it is needed: the first of `examples`, `enum`, `const` or `default` that decodes, or what
/// can be made up for the schema.
public protocol JSONSchemaProviding {
    static var jsonSchema: ActionSchema { get }
}
