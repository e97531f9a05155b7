import Wire

/// Why a stored document is not what this program knows; names the field.
struct DocumentError: Error {
    var message: String
    /// A program of another version has written it (`fv`, SPEC ND-6).
    var isUnknownFormat = false

    init(_ message: String) { self.message = message }

    init(unknown format: Int64, _ formats: Formats) {
        self.message = formats.refusal(of: format)
        self.isUnknownFormat = true
    }
}
