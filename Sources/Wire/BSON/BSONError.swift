/// Why bytes are not a BSON document.
package struct BSONError: Error, Sendable, Equatable {
    package enum Code: Sendable, Equatable {
        /// A length points outside of the document, or the terminating NUL is missing.
        case truncated
        case unknownType
        case tooDeep
        case tooLarge
    }

    package var code: Code
    /// Distance from the first byte of the outermost document.
    package var offset: Int

    package init(_ code: Code, offset: Int) {
        self.code = code
        self.offset = offset
    }
}
