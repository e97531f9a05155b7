/// Why a stored document is not what this program knows; names the field.
struct DocumentError: Error {
    var message: String

    init(_ message: String) { self.message = message }
}

/// The format version that this program writes into every document (`fv`); another one is refused by name (SPEC ND-6).
enum DocumentFormat {
    static let version: Int32 = 1
}
