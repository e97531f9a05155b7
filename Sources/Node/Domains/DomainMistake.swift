/// Something that is wrong with a domain's configuration.
struct DomainMistake: Sendable, Equatable, Encodable {
    /// A JSON pointer into the configuration.
    let path: String
    /// Behind the place, as the end of a sentence.
    let message: String
}

/// All that is wrong with one.
struct DomainMistakes: Error, Sendable, Equatable, CustomStringConvertible {
    /// Not empty.
    let all: [DomainMistake]

    var description: String { self.all.map { "\"\($0.path)\" \($0.message)" }.joined(separator: "; ") }
}
