import NIOCore
import Routing
import Wire

/// Configurations of domains as they are stored (SPEC RM-4): `{_id, fv, v, b, k, t}`.
enum DomainCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> DomainRecord {
        try document.checkFormat(formats)
        return DomainRecord(
            domain: try document.require("_id") { $0.string }, version: try self.version(of: document),
            document: try document.require("b") { element in
                element.binary.map { Array($0.readableBytesView) }
            },
            author: try document.require("k") { $0.string }, changed: try document.require("t") { $0.date })
    }

    static func version(of document: BSONDocument) throws(DocumentError) -> Int64 {
        try document.require("v") { element in element.int64.flatMap { $0 > 0 ? $0 : nil } }
    }

    static func write(_ record: DomainRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("_id", record.domain)
        self.writeRest(of: record, formats, into: &writer)
    }

    /// What a new version replaces.
    static func writeRest(of record: DomainRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("fv", Int32(formats.written))
        writer.append("v", record.version)
        writer.append("b", BSONBinary(record.document))
        writer.append("k", record.author)
        writer.append("t", BSONDate(milliseconds: record.changed))
    }
}
