/// Why bytes from the bus, or for it, were refused. Every name is counted by whoever meets it (SPEC ND-6, OP-4).
package enum EnvelopeError: Error, Sendable, Equatable {
    /// Written by a program with another format; carries the version found (SPEC ND-6).
    case unknownVersion(UInt8)
    /// The bytes end before what they announce.
    case truncated
    /// Bytes are left after the last message.
    case trailingBytes
    /// A text is not UTF-8.
    case invalidText
    /// More than 1 MiB as a message, or a field longer than its length prefix can say.
    case messageTooLarge
    /// More than 4 MiB as a batch.
    case batchTooLarge
    /// A field that must be there is missing or has another type; carries its name.
    case missingField(String)
}
