/// What is wrong with a `multipart/form-data` body.
package enum MultipartError: Error, Sendable, Equatable {
    /// Not as RFC 7578 and RFC 2046 have it; says what, in words of our own.
    case malformed(String)
    /// An encoding that nobody undoes (RFC 7578 §4.7 deprecates them).
    case encoded
    case headerTooLarge
    case tooManyFields
    case tooManyFiles
    case nameTooLong
}
