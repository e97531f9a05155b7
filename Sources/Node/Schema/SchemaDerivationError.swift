/// Why the schema of a type could not be found from how it decodes.
struct SchemaDerivationError: Error, Sendable, CustomStringConvertible {
    let type: String
    let why: String

    var description: String {
        "the schema of \(self.type) cannot be derived: \(self.why); conform it to JSONSchemaProviding"
    }
}
