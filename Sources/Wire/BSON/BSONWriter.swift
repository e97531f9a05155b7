package import NIOCore

/// Builds one BSON document by appending; the lengths of nested documents are patched in when they end.
///
/// Field names are the program's own: a NUL in one is a programming error. Values may hold anything. The server's limit
/// of 16 MiB is the caller's to watch (``count``).
package struct BSONWriter: Sendable {
    private var buffer: ByteBuffer
    private let start: Int
    /// The next key of the innermost array.
    private var index = 0

    package init(capacity: Int = 256) {
        var buffer = ByteBufferAllocator().buffer(capacity: capacity)
        buffer.writeInteger(0, as: Int32.self)
        self.buffer = buffer
        self.start = 0
    }

    /// Appends the document to what `buffer` holds already; ``finish()`` gives the whole back.
    package init(appendingTo buffer: consuming ByteBuffer) {
        self.start = buffer.writerIndex
        self.buffer = buffer
        self.buffer.writeInteger(0, as: Int32.self)
    }

    /// Bytes of the document so far, with the end of the outermost level.
    package var count: Int { self.buffer.writerIndex - self.start + 1 }

    package mutating func append(_ name: String, _ value: some BSONScalar) {
        self.header(type(of: value).bsonType, name)
        value.writeBSON(into: &self.buffer)
    }

    /// Appends nothing when there is no value.
    package mutating func append(_ name: String, ifPresent value: (some BSONScalar)?) {
        if let value { self.append(name, value) }
    }

    /// A value as it was read, of whatever type.
    package mutating func append(_ name: String, _ value: BSONElement) {
        self.header(value.type, name)
        self.buffer.writeImmutableBuffer(value.rawValue)
    }

    package mutating func document<Failure: Error>(
        _ name: String, _ build: (inout BSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.header(.document, name)
        try self.nested(build)
    }

    /// Inside `build`, use the `element` methods: they name the values 0, 1, 2, ...
    package mutating func array<Failure: Error>(
        _ name: String, _ build: (inout BSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.header(.array, name)
        try self.nestedArray(build)
    }

    package mutating func element(_ value: some BSONScalar) { self.append(self.nextKey(), value) }

    /// A value as it was read, of whatever type.
    package mutating func element(_ value: BSONElement) { self.append(self.nextKey(), value) }

    package mutating func documentElement<Failure: Error>(
        _ build: (inout BSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        try self.document(self.nextKey(), build)
    }

    package mutating func arrayElement<Failure: Error>(
        _ build: (inout BSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        try self.array(self.nextKey(), build)
    }

    /// Ends the document.
    /// - Returns: all bytes of the buffer: the document, behind what `init(appendingTo:)` was given.
    package consuming func finish() -> ByteBuffer {
        var buffer = self.buffer
        Self.end(&buffer, start: self.start)
        return buffer
    }

    /// For literals: `BSONWriter.document { $0.append("ping", Int32(1)) }`.
    package static func document<Failure: Error>(
        _ build: (inout BSONWriter) throws(Failure) -> Void
    ) throws(Failure) -> ByteBuffer {
        var writer = BSONWriter()
        try build(&writer)
        return writer.finish()
    }

    private mutating func nextKey() -> String {
        defer { self.index += 1 }
        return String(self.index)
    }

    private mutating func header(_ type: BSONType, _ name: String) {
        precondition(!name.utf8.contains(0), "a field name has no NUL")
        self.buffer.writeInteger(type.rawValue)
        self.buffer.writeString(name)
        self.buffer.writeInteger(0, as: UInt8.self)
    }

    private mutating func nested<Failure: Error>(
        _ build: (inout BSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        let start = self.buffer.writerIndex
        self.buffer.writeInteger(0, as: Int32.self)
        try build(&self)
        Self.end(&self.buffer, start: start)
    }

    private mutating func nestedArray<Failure: Error>(
        _ build: (inout BSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        let outer = self.index
        self.index = 0
        defer { self.index = outer }
        try self.nested(build)
    }

    private static func end(_ buffer: inout ByteBuffer, start: Int) {
        buffer.writeInteger(0, as: UInt8.self)
        buffer.setInteger(Int32(buffer.writerIndex - start), at: start, endianness: .little)
    }
}

extension BSONDocument: BSONScalar {
    package static var bsonType: BSONType { .document }
    package func writeBSON(into buffer: inout ByteBuffer) { buffer.writeImmutableBuffer(self.bytes) }
}
