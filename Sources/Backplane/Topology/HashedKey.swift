/// MongoDB's hash of a hashed shard key, computed here so that keys can be grouped by shard without asking (SPEC ND-14).
///
/// The server's `BSONElementHasher`, version 0: MD5 over the seed 0, the value's canonical type and its stored bytes, of
/// which the first eight count. It is checked against the server at start (``HashedKeyCheck``).
package enum HashedKey {
    package static func hash(_ text: String) -> Int64 {
        var text = text
        return text.withUTF8 { bytes in
            var message = Self.header(canonicalType: 15, capacity: bytes.count + 13)
            Self.append(Int32(bytes.count + 1), to: &message)
            message.append(contentsOf: bytes)
            message.append(0)
            return MD5.prefix(of: message)
        }
    }

    /// Binary of the generic subtype.
    package static func hash(_ binary: [UInt8]) -> Int64 {
        var message = Self.header(canonicalType: 30, capacity: binary.count + 13)
        Self.append(Int32(binary.count), to: &message)
        message.append(0)
        message.append(contentsOf: binary)
        return MD5.prefix(of: message)
    }

    private static func header(canonicalType: Int32, capacity: Int) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(capacity)
        Self.append(0, to: &message)
        Self.append(canonicalType, to: &message)
        return message
    }

    private static func append(_ value: Int32, to message: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { message.append(contentsOf: $0) }
    }
}
