import NIOCore
import Routing
import Wire

/// Requests with an idempotency key as they are stored: `{_id, fv, q, a, t, b, x}`.
enum AnswerCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> AnswerRecord {
        try document.checkFormat(formats)
        return AnswerRecord(
            id: try document.require("_id", self.bytes), request: try document.require("q", self.bytes),
            attempt: try document.require("a", self.bytes), deadline: try document.require("t") { $0.date },
            answer: document["b"].flatMap(self.bytes), expires: try document.require("x") { $0.date })
    }

    private static func bytes(_ element: BSONElement) -> [UInt8]? {
        element.binary.map { Array($0.readableBytesView) }
    }

    static func write(_ record: AnswerRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("_id", BSONBinary(record.id))
        self.writeRest(of: record, formats, into: &writer)
        writer.append("x", BSONDate(milliseconds: record.expires))
    }

    /// What another attempt replaces.
    static func writeRest(of record: AnswerRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("fv", Int32(formats.written))
        writer.append("q", BSONBinary(record.request))
        writer.append("a", BSONBinary(record.attempt))
        writer.append("t", BSONDate(milliseconds: record.deadline))
    }
}
