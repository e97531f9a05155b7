import NIOCore

/// Goes through the fields of a document one after the other, without copying.
///
/// Every step is bounds-checked, also on documents that were checked before: no bytes make it trap, and none make it read
/// past their end (SPEC OP-4).
package struct BSONReader: IteratorProtocol, Sequence {
    private let bytes: ByteBuffer
    private var position: Int

    package init(_ document: BSONDocument) {
        self.bytes = document.bytes
        self.position = 4
    }

    package mutating func next() -> BSONElement? {
        let position = self.position
        guard let field = self.bytes.withUnsafeReadableBytes({ Self.field(in: $0, at: position) }) else { return nil }
        self.position = field.value.upperBound
        return BSONElement(type: field.type, bytes: self.bytes, name: field.name, value: field.value)
    }

    /// The first field of that name.
    static func find(_ name: UnsafeBufferPointer<UInt8>, in document: BSONDocument) -> BSONElement? {
        let found = document.bytes.withUnsafeReadableBytes { bytes -> Field? in
            var position = 4
            while let field = self.field(in: bytes, at: position) {
                if bytes.hold(name, in: field.name) { return field }
                position = field.value.upperBound
            }
            return nil
        }
        return found.map { BSONElement(type: $0.type, bytes: document.bytes, name: $0.name, value: $0.value) }
    }

    /// Offsets are relative to the reader index, which is 0 in a slice.
    struct Field {
        var type: BSONType
        var name: Range<Int>
        var value: Range<Int>
    }

    /// - Returns: nil at the end of the document, and where the bytes make no sense.
    private static func field(in bytes: UnsafeRawBufferPointer, at position: Int) -> Field? {
        guard let first = bytes.value(at: position, as: UInt8.self), first != 0 else { return nil }
        return try? self.parse(in: bytes, type: first, at: position, end: bytes.count - 1)
    }

    /// - Parameter end: where the enclosing document's terminating NUL is.
    private static func parse(
        in bytes: UnsafeRawBufferPointer, type: UInt8, at position: Int, end: Int
    ) throws(BSONError) -> Field {
        guard let type = BSONType(rawValue: type) else { throw BSONError(.unknownType, offset: position) }
        let nameEnd = try self.cString(in: bytes, at: position + 1, end: end)
        let start = nameEnd + 1
        let length = try self.length(of: type, in: bytes, at: start, end: end)
        guard length <= end - start else { throw BSONError(.truncated, offset: start) }
        return Field(type: type, name: position + 1..<nameEnd, value: start..<start + length)
    }

    /// - Returns: where its NUL is.
    private static func cString(in bytes: UnsafeRawBufferPointer, at start: Int, end: Int) throws(BSONError) -> Int {
        var position = start
        let end = Swift.min(end, bytes.count)
        while position < end {
            if bytes[position] == 0 { return position }
            position += 1
        }
        throw BSONError(.truncated, offset: start)
    }

    /// Bytes of a value; also checks the length fields and terminators inside it.
    private static func length(
        of type: BSONType, in bytes: UnsafeRawBufferPointer, at start: Int, end: Int
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
        in bytes: UnsafeRawBufferPointer, at start: Int, end: Int, least: Int32, counted: Int
    ) throws(BSONError) -> Int {
        guard start + 4 <= end, let length = bytes.value(at: start, as: Int32.self), length >= least else {
            throw BSONError(.truncated, offset: start)
        }
        return Int(length) + counted
    }

    private static func string(
        in bytes: UnsafeRawBufferPointer, at start: Int, end: Int
    ) throws(BSONError) -> Int {
        let length = try self.prefix(in: bytes, at: start, end: end, least: 1, counted: 4)
        guard length <= end - start, bytes.value(at: start + length - 1, as: UInt8.self) == 0 else {
            throw BSONError(.truncated, offset: start)
        }
        return length
    }
}

extension BSONReader {
    /// Checks a whole document without recursion: the levels that are open are kept in an array of at most
    /// `maximumDepth` entries.
    static func check(_ document: ByteBuffer, maximumDepth: Int) throws(BSONError) {
        let outcome = document.withUnsafeReadableBytes { bytes -> Result<Void, BSONError> in
            Result { () throws(BSONError) in try self.check(bytes, maximumDepth: maximumDepth) }
        }
        try outcome.get()
    }

    private static func check(_ bytes: UnsafeRawBufferPointer, maximumDepth: Int) throws(BSONError) {
        var ends: [Int] = []
        guard let length = bytes.value(at: 0, as: Int32.self), length >= 5, Int(length) == bytes.count else {
            throw BSONError(.truncated, offset: 0)
        }
        ends.append(bytes.count - 1)
        var position = 4
        while let end = ends.last {
            guard position <= end, let type = bytes.value(at: position, as: UInt8.self) else {
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

extension UnsafeRawBufferPointer {
    /// Little-endian; nil where it does not lie within the buffer.
    fileprivate func value<T: FixedWidthInteger & BitwiseCopyable>(at position: Int, as type: T.Type) -> T? {
        guard position >= 0, position <= self.count - MemoryLayout<T>.size else { return nil }
        return T(littleEndian: self.loadUnaligned(fromByteOffset: position, as: type))
    }

    /// Whether these are the bytes at `range`, which lies within the buffer.
    fileprivate func hold(_ wanted: UnsafeBufferPointer<UInt8>, in range: Range<Int>) -> Bool {
        guard wanted.count == range.count else { return false }
        // Names are short: no call.
        for index in wanted.indices where wanted[index] != self[range.lowerBound + index] { return false }
        return true
    }
}
