public import NIOCore

/// A file of a `multipart/form-data` body, in memory.
public struct RequestFile: Sendable, Hashable {
    /// The field's name.
    public let name: String
    /// Without folders; the requester's text, never a path to write to.
    public let filename: String
    /// As the requester says, in lower case, without parameters; nil where it does not say.
    public let contentType: String?
    public let bytes: ByteBuffer
}
