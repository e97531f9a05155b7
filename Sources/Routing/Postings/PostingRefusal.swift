/// Why a posting can never be sent. It is stored in the document, for the application to read.
package struct PostingRefusal: Error, Sendable, Equatable {
    /// The raw value is what stands in `error.code`: part of the public format.
    package enum Code: String, Sendable, CaseIterable {
        /// `v` is of another version.
        case format = "UNKNOWN_FORMAT"
        /// A field is there that the format does not have.
        case field = "FIELD"
        /// `user` or `client` is missing or no identity.
        case identity = "IDENTITY"
        /// `domain` is not served, or is missing where several are.
        case domain = "DOMAIN"
        /// `event` is missing or no name.
        case event = "EVENT"
        /// `event` is a name that the service keeps for itself.
        case reserved = "RESERVED"
        /// `args` is no array, or holds what JSON has no form for.
        case arguments = "ARGUMENTS"
        case tooLarge = "TOO_LARGE"
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
