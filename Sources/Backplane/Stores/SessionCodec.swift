import NIOCore
import Routing
import Wire

/// Session records as they are stored (SPEC §3): `{_id, D, U, C, c, a, v, L, r, f, l, s, sc, n, x, z}` and `fv`.
enum SessionCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> SessionRecord {
        try document.checkFormat(formats)
        var record = SessionRecord(
            hash: try document.require("_id", self.bytes), domain: try document.require("D") { $0.string },
            user: try document.require("U") { $0.string }, client: try document.require("C") { $0.string },
            now: try document.require("c") { $0.date }, isRemembered: try document.require("r") { $0.bool },
            expires: try document.require("x") { $0.date })
        record.activity = try document.require("a") { $0.date }
        record.login = try document.require("L") { $0.date }
        record.isValid = try document.require("v") { $0.bool }
        record.chain = try document.require("f", self.bytes)
        record.predecessor = try document.optional("l", self.bytes)
        record.renewal = try document.optional("s") { element in
            self.bytes(element).flatMap { SessionRecord.Renewal(stored: $0) }
        }
        record.successorPresented = try document.optional("sc") { $0.date }
        record.successor = try document.optional("n", self.bytes)
        record.reason = try document.optional("z") { $0.string }
        return record
    }

    private static func bytes(_ element: BSONElement) -> [UInt8]? {
        element.binary.map { Array($0.readableBytesView) }
    }

    static func write(_ record: SessionRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("_id", BSONBinary(record.hash))
        writer.append("fv", Int32(formats.written))
        writer.append("D", record.domain)
        writer.append("U", record.user)
        writer.append("C", record.client)
        writer.append("c", BSONDate(milliseconds: record.created))
        writer.append("a", BSONDate(milliseconds: record.activity))
        writer.append("v", record.isValid)
        writer.append("L", BSONDate(milliseconds: record.login))
        writer.append("r", record.isRemembered)
        writer.append("f", BSONBinary(record.chain))
        writer.append("l", ifPresent: record.predecessor.map { BSONBinary($0) })
        writer.append("s", ifPresent: record.renewal.map { BSONBinary($0.stored) })
        writer.append("sc", ifPresent: record.successorPresented.map { BSONDate(milliseconds: $0) })
        writer.append("n", ifPresent: record.successor.map { BSONBinary($0) })
        writer.append("x", BSONDate(milliseconds: record.expires))
        writer.append("z", ifPresent: record.reason)
    }
}
