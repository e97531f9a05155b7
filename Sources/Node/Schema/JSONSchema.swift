/// A compiled JSON Schema: the subset of draft 2020-12 that docs/actions.md lists, with a bound on what one check may cost.
struct JSONSchema: Sendable {
    /// What one check may cost by default, in steps of some ten nanoseconds: a value looked at, sixteen bytes of text, an
    /// instruction of a pattern.
    static let defaultWork = 10_000_000

    /// As it was given; what OPTIONS shows.
    let source: JSONValue
    let nodes: [[SchemaRule]]

    init(_ source: JSONValue) throws(SchemaError) {
        var compiler = SchemaCompiler(source)
        self.source = source
        self.nodes = try compiler.compile()
    }

    /// - Returns: the first thing that is wrong; nil for a value that is valid.
    func failure(of value: JSONValue, work: Int = Self.defaultWork) -> SchemaFailure? {
        var validator = SchemaValidator(self.nodes, work: work)
        return validator.failure(of: value)
    }
}
