package import NIOCore

/// One field of a document. Getters answer nil for another type; they never trap.
package struct BSONElement: Sendable {
    package let type: BSONType
    private let bytes: ByteBuffer
    private let nameRange: Range<Int>
    private let valueRange: Range<Int>

    init(type: BSONType, bytes: ByteBuffer, name: Range<Int>, value: Range<Int>) {
        self.type = type
        self.bytes = bytes
        self.nameRange = name
        self.valueRange = value
    }

    package var name: String {
        self.bytes.getString(at: self.nameRange.lowerBound, length: self.nameRange.count) ?? ""
    }

    /// Nil also where the bytes are not UTF-8.
    package var string: String? {
        guard self.type == .string, self.valueRange.count >= 5 else { return nil }
        let text = self.valueRange.lowerBound + 4..<self.valueRange.upperBound - 1
        return self.bytes.withUnsafeReadableBytes { String(validating: $0[text], as: UTF8.self) }
    }

    /// Any of the numeric types that holds a whole number of this range.
    package var int64: Int64? {
        switch self.type {
        case .int32: self.integer(Int32.self).map(Int64.init)
        case .int64: self.integer(Int64.self)
        case .double: self.double.flatMap { Int64(exactly: $0) }
        default: nil
        }
    }

    package var int: Int? { self.int64.flatMap { Int(exactly: $0) } }

    package var double: Double? {
        switch self.type {
        case .double: self.integer(UInt64.self).map { Double(bitPattern: $0) }
        case .int32: self.integer(Int32.self).map(Double.init)
        case .int64: self.integer(Int64.self).map { Double($0) }
        default: nil
        }
    }

    package var bool: Bool? {
        self.type == .bool ? self.integer(UInt8.self).map { $0 != 0 } : nil
    }

    /// The loose truth of command replies, where `ok` is a double, an integer or a bool.
    package var isTrue: Bool { self.bool ?? self.double.map { $0 != 0 } ?? false }

    /// Milliseconds since 1970.
    package var date: Int64? { self.type == .date ? self.integer(Int64.self) : nil }

    package var timestamp: BSONTimestamp? {
        guard self.type == .timestamp, let bits = self.integer(UInt64.self) else { return nil }
        return BSONTimestamp(seconds: UInt32(bits >> 32), increment: UInt32(truncatingIfNeeded: bits))
    }

    /// The bytes of a binary of whatever subtype, as a slice.
    package var binary: ByteBuffer? {
        guard self.type == .binary, self.valueRange.count >= 5 else { return nil }
        return self.bytes.getSlice(at: self.valueRange.lowerBound + 5, length: self.valueRange.count - 5)
    }

    package var document: BSONDocument? {
        self.type == .document ? self.nested : nil
    }

    /// The elements are the document's fields.
    package var array: BSONDocument? {
        self.type == .array ? self.nested : nil
    }

    package var isNull: Bool { self.type == .null || self.type == .undefined }

    /// The value as it is stored, without type and name: for hashing and for passing it on.
    package var rawValue: ByteBuffer {
        self.bytes.getSlice(at: self.valueRange.lowerBound, length: self.valueRange.count) ?? ByteBuffer()
    }

    private var nested: BSONDocument? {
        self.bytes.getSlice(at: self.valueRange.lowerBound, length: self.valueRange.count)
            .map { BSONDocument(checked: $0) }
    }

    private func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
        guard self.valueRange.count >= MemoryLayout<T>.size else { return nil }
        return self.bytes.getInteger(at: self.valueRange.lowerBound, endianness: .little, as: type)
    }
}
