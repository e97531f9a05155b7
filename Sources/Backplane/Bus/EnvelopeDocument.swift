package import NIOCore
package import Wire

/// The stored form of an envelope, `{_id, to, from, s, t, b, r?, a?}` (SPEC ND-6).
/// `r` is the number up to which `from` has read what `to` sent it, `a` the seconds that a copy is older than `t` says. The format version is the first byte of `b`.
package enum EnvelopeDocument {
    /// Appends the document to the `documents` of an insert command.
    package static func append(
        to commands: inout BSONWriter, to target: String, from sender: String, sequence: Int64, batch: ByteBuffer,
        readMark: Int64 = 0, age: Int64 = 0
    ) {
        commands.documentElement { document in
            document.append("_id", Envelope.identifier(to: target, from: sender, sequence: sequence))
            document.append("to", target)
            document.append("from", sender)
            document.append("s", sequence)
            // Empty and at the top level: the server puts its own time in.
            document.append("t", BSONTimestamp.empty)
            document.append("b", BSONBinary(batch))
            if readMark > 0 { document.append("r", readMark) }
            if age > 0 { document.append("a", age) }
        }
    }

    /// - Returns: the batch as a slice of the document's bytes, not decoded.
    package static func decode(_ document: BSONDocument) throws(EnvelopeError) -> Envelope {
        var to: String?
        var from: String?
        var sequence: Int64?
        var time: BSONTimestamp?
        var batch: ByteBuffer?
        var readMark: Int64?
        var age: Int64?
        for element in document {
            switch element.name {
            case "to": to = element.string
            case "from": from = element.string
            case "s": sequence = element.int64
            case "t": time = element.timestamp
            case "b": batch = element.binary
            case "r": readMark = element.int64
            case "a": age = element.int64
            default: continue
            }
        }
        guard let to else { throw .missingField("to") }
        guard let from else { throw .missingField("from") }
        guard let sequence else { throw .missingField("s") }
        guard let time else { throw .missingField("t") }
        guard let batch else { throw .missingField("b") }
        guard batch.readableBytes <= Envelope.maximumSize else { throw .batchTooLarge }
        return Envelope(
            to: to, from: from, sequence: sequence, time: UInt64(time.seconds) << 32 | UInt64(time.increment),
            batch: batch, readMark: max(0, readMark ?? 0), age: min(max(0, age ?? 0), Envelope.maximumAge))
    }
}
