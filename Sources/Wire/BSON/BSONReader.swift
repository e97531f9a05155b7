import NIOCore

/// Goes through the fields of a document one after the other, without copying.
///
/// Every step is bounds-checked, also on documents that were checked before: no bytes make it trap (SPEC OP-4).
package struct BSONReader: IteratorProtocol, Sequence {
    private let bytes: ByteBuffer
    private var position: Int

    package init(_ document: BSONDocument) {
        self.bytes = document.bytes
        self.position = 4
    }

    package mutating func next() -> BSONElement? {
        guard let field = Self.field(in: self.bytes, at: self.position) else { return nil }
        self.position = field.value.upperBound
        return BSONElement(type: field.type, bytes: self.bytes, name: field.name, value: field.value)
    }

    /// Offsets are relative to the reader index, which is 0 in a slice.
    struct Field {
        var type: BSONType
        var name: Range<Int>
        var value: Range<Int>
    }

    /// - Returns: nil at the end of the document, and where the bytes make no sense.
    private static func field(in bytes: ByteBuffer, at position: Int) -> Field? {
        guard let first = bytes.getInteger(at: position, as: UInt8.self), first != 0 else { return nil }
        return try? self.parse(in: bytes, type: first, at: position, end: bytes.writerIndex - 1)
    }

    /// - Parameter end: where the enclosing document's terminating NUL is.
    private static func parse(
        in bytes: ByteBuffer, type: UInt8, at position: Int, end: Int
    ) throws(BSONError) -> Field {
        guard let type = BSONType(rawValue: type) else { throw BSONError(.unknownType, offset: position) }
        let nameEnd = try self.cString(in: bytes, at: position + 1, end: end)
        let start = nameEnd + 1
        let length = try self.length(of: type, in: bytes, at: start, end: end)
        guard length <= end - start else { throw BSONError(.truncated, offset: start) }
        return Field(type: type, name: position + 1..<nameEnd, value: start..<start + length)
    }

    /// - Returns: where its NUL is.
    private static func cString(in bytes: ByteBuffer, at start: Int, end: Int) throws(BSONError) -> Int {
        guard start <= end else { throw BSONError(.truncated, offset: start) }
        let found = bytes.withUnsafeReadableBytes { all in
            all[start..<Swift.min(end, all.count)].firstIndex(of: 0)
        }
        guard let found else { throw BSONError(.truncated, offset: start) }
        return found
    }

    /// Bytes of a value; also checks the length fields and terminators inside it.
    private static func length(
        of type: BSONType, in bytes: ByteBuffer, at start: Int, end: Int
    ) throws(BSONError) -> Int {
        switch type {
        case .double, .date, .timestamp, .int64: return 8
        case .int32: return 4
        case .objectID: return 12
        case .decimal128: return 16
        case .bool: return 1
        case .undefined, .null, .minKey, .maxKey: return 0
        case .document, .array: return try self.prefix(in: bytes, at: start, end: end, least: 5, counted: 0)
        case .scopedCode: return try self.prefix(in: bytes, at: start, end: end, least: 14, counted: 0)
        case .binary: return try self.prefix(in: bytes, at: start, end: end, least: 0, counted: 5)
        case .pointer: return try self.string(in: bytes, at: start, end: end) + 12
        case .string, .code, .symbol: return try self.string(in: bytes, at: start, end: end)
        case .regex:
            let pattern = try self.cString(in: bytes, at: start, end: end)
            return try self.cString(in: bytes, at: pattern + 1, end: end) + 1 - start
        }
    }

    /// - Returns: the length field at `start`, plus what it does not count.
    private static func prefix(
        in bytes: ByteBuffer, at start: Int, end: Int, least: Int32, counted: Int
    ) throws(BSONError) -> Int {
        guard start + 4 <= end, let length = bytes.getInteger(at: start, endianness: .little, as: Int32.self),
            length >= least
        else { throw BSONError(.truncated, offset: start) }
        return Int(length) + counted
    }

    private static func string(in bytes: ByteBuffer, at start: Int, end: Int) throws(BSONError) -> Int {
        let length = try self.prefix(in: bytes, at: start, end: end, least: 1, counted: 4)
        guard length <= end - start, bytes.getInteger(at: start + length - 1, as: UInt8.self) == 0 else {
            throw BSONError(.truncated, offset: start)
        }
        return length
    }
}

extension BSONReader {
    /// Checks a whole document without recursion: the levels that are open are kept in an array of at most
    /// `maximumDepth` entries.
    static func check(_ bytes: ByteBuffer, maximumDepth: Int) throws(BSONError) {
        var ends: [Int] = []
        guard let length = bytes.getInteger(at: 0, endianness: .little, as: Int32.self), length >= 5,
            Int(length) == bytes.readableBytes
        else { throw BSONError(.truncated, offset: 0) }
        ends.append(bytes.readableBytes - 1)
        var position = 4
        while let end = ends.last {
            guard position <= end, let type = bytes.getInteger(at: position, as: UInt8.self) else {
                throw BSONError(.truncated, offset: position)
            }
            if type == 0 {
                guard position == end else { throw BSONError(.truncated, offset: position) }
                ends.removeLast()
                position += 1
                continue
            }
            guard position < end else { throw BSONError(.truncated, offset: position) }
            let field = try self.parse(in: bytes, type: type, at: position, end: end)
            switch field.type {
            case .document, .array:
                guard ends.count <= maximumDepth else { throw BSONError(.tooDeep, offset: position) }
                ends.append(field.value.upperBound - 1)
                position = field.value.lowerBound + 4
            default:
                position = field.value.upperBound
            }
        }
    }
}
