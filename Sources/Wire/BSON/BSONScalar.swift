package import NIOCore

/// A value that ``BSONWriter`` can append.
package protocol BSONScalar: Sendable {
    static var bsonType: BSONType { get }

    /// Writes the value only: neither type nor name.
    func writeBSON(into buffer: inout ByteBuffer)
}

extension Int32: BSONScalar {
    package static var bsonType: BSONType { .int32 }
    package func writeBSON(into buffer: inout ByteBuffer) { buffer.writeInteger(self, endianness: .little) }
}

extension Int64: BSONScalar {
    package static var bsonType: BSONType { .int64 }
    package func writeBSON(into buffer: inout ByteBuffer) { buffer.writeInteger(self, endianness: .little) }
}

extension Double: BSONScalar {
    package static var bsonType: BSONType { .double }
    package func writeBSON(into buffer: inout ByteBuffer) {
        buffer.writeInteger(self.bitPattern, endianness: .little)
    }
}

extension Bool: BSONScalar {
    package static var bsonType: BSONType { .bool }
    package func writeBSON(into buffer: inout ByteBuffer) { buffer.writeInteger(self ? 1 : 0, as: UInt8.self) }
}

extension String: BSONScalar {
    package static var bsonType: BSONType { .string }
    package func writeBSON(into buffer: inout ByteBuffer) {
        let start = buffer.writerIndex
        buffer.writeInteger(0, as: Int32.self)
        buffer.writeString(self)
        buffer.writeInteger(0, as: UInt8.self)
        let length = Int32(buffer.writerIndex - start - 4)
        buffer.setInteger(length, at: start, endianness: .little)
    }
}

/// Milliseconds since 1970 as a BSON date: what TTL indexes need.
package struct BSONDate: BSONScalar, Hashable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static var bsonType: BSONType { .date }
    package func writeBSON(into buffer: inout ByteBuffer) {
        buffer.writeInteger(self.milliseconds, endianness: .little)
    }
}

/// A BSON timestamp. The empty one, at the top level of an inserted document, is filled in by the server (SPEC ND-6).
package struct BSONTimestamp: BSONScalar, Hashable, Comparable {
    package var seconds: UInt32
    package var increment: UInt32

    package init(seconds: UInt32, increment: UInt32) {
        self.seconds = seconds
        self.increment = increment
    }

    package static let empty = BSONTimestamp(seconds: 0, increment: 0)

    package static var bsonType: BSONType { .timestamp }
    package func writeBSON(into buffer: inout ByteBuffer) {
        buffer.writeInteger(self.increment, endianness: .little)
        buffer.writeInteger(self.seconds, endianness: .little)
    }

    package static func < (left: BSONTimestamp, right: BSONTimestamp) -> Bool {
        (left.seconds, left.increment) < (right.seconds, right.increment)
    }
}

/// Binary of the generic subtype.
package struct BSONBinary: BSONScalar, Hashable {
    package var bytes: ByteBuffer

    package init(_ bytes: ByteBuffer) { self.bytes = bytes }
    package init(_ bytes: some Sequence<UInt8>) { self.bytes = ByteBuffer(bytes: bytes) }

    package static var bsonType: BSONType { .binary }
    package func writeBSON(into buffer: inout ByteBuffer) {
        buffer.writeInteger(Int32(self.bytes.readableBytes), endianness: .little)
        buffer.writeInteger(0, as: UInt8.self)
        buffer.writeImmutableBuffer(self.bytes)
    }
}

package struct BSONNull: BSONScalar, Hashable {
    package init() {}

    package static var bsonType: BSONType { .null }
    package func writeBSON(into buffer: inout ByteBuffer) {}
}
