import NIOCore
import Routing
import Wire

/// Session tickets as they are stored (SPEC ID-17): `{_id, fv, D, f, s, b, u, x}`.
enum TicketCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> TicketRecord {
        try document.checkFormat(formats)
        return TicketRecord(
            id: try document.require("_id", self.bytes), domain: try document.require("D") { $0.string },
            chain: try document.require("f", self.bytes), socket: try document.require("s") { $0.string },
            sealed: try document.require("b", self.bytes), expires: try document.require("x") { $0.date },
            isUsed: try document.require("u") { $0.bool })
    }

    private static func bytes(_ element: BSONElement) -> [UInt8]? {
        element.binary.map { Array($0.readableBytesView) }
    }

    static func write(_ ticket: TicketRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("_id", BSONBinary(ticket.id))
        writer.append("fv", Int32(formats.written))
        writer.append("D", ticket.domain)
        writer.append("f", BSONBinary(ticket.chain))
        writer.append("s", ticket.socket)
        writer.append("b", BSONBinary(ticket.sealed))
        writer.append("u", ticket.isUsed)
        writer.append("x", BSONDate(milliseconds: ticket.expires))
    }
}
