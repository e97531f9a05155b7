/// The first thing that is wrong with a value.
struct SchemaFailure: Error, Sendable, Equatable {
    /// Where in the value, the innermost member first.
    private var tokens: [String] = []
    /// In words of our own, which quote nothing of the value.
    let message: String
    /// It is the type that is wrong, and of the value itself.
    private(set) var isType = false

    init(_ message: String, isType: Bool = false) {
        self.message = message
        self.isType = isType
    }

    /// The same, seen from the value around.
    func within(_ token: String) -> SchemaFailure {
        var failure = self
        failure.tokens.append(token)
        failure.isType = false
        return failure
    }

    /// A JSON pointer.
    var path: String { JSONPointer.text(self.tokens.reversed()) }
}
