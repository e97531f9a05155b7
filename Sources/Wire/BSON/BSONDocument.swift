package import NIOCore

/// One BSON document or array whose structure has been checked: reading from it cannot fail on lengths, only on types.
package struct BSONDocument: Sendable, Hashable {
    /// Nested levels below the outermost, as many as MongoDB allows.
    package static let maximumDepth = 100
    /// MongoDB's message limit, 48 MB: replies hold more than one document of 16 MiB.
    package static let maximumSize = 48_000_000

    /// The readable bytes are the document and nothing else.
    package let bytes: ByteBuffer

    /// Checks lengths, types and depth of everything inside; strings are checked for UTF-8 when they are read.
    /// - Parameter bytes: exactly one document.
    package init(
        _ bytes: ByteBuffer, maximumDepth: Int = Self.maximumDepth, maximumSize: Int = Self.maximumSize
    ) throws(BSONError) {
        guard bytes.readableBytes <= maximumSize else { throw BSONError(.tooLarge, offset: 0) }
        self.bytes = bytes.slice()
        try BSONReader.check(self.bytes, maximumDepth: maximumDepth)
    }

    /// Without a check: a nested document of a checked one, or one of our own making.
    init(checked bytes: ByteBuffer) { self.bytes = bytes }

    /// One of our own making.
    package init<Failure: Error>(_ build: (inout BSONWriter) throws(Failure) -> Void) throws(Failure) {
        self.bytes = try BSONWriter.document(build)
    }

    /// The first field of that name.
    package subscript(_ name: String) -> BSONElement? {
        var name = name
        return name.withUTF8 { BSONReader.find($0, in: self) }
    }

    package var isEmpty: Bool { self.bytes.readableBytes <= 5 }
}

extension BSONDocument: Sequence {
    package func makeIterator() -> BSONReader { BSONReader(self) }
}
