/// A schema that cannot be used; it stops the start (SPEC AC-6).
struct SchemaError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Where in the schema: a JSON pointer, empty for the whole.
    let pointer: String
    /// Behind the place, as the end of a sentence.
    let why: String

    var description: String { "its schema at \"\(self.pointer)\": \(self.why)" }
}
