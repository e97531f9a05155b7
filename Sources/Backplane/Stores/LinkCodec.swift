import Routing
import Wire

/// Links as they are stored (SPEC LK-2): `{_id, fv, d, kind, party: [{u, c?, label}] * 2, state, token, gen, t, x?, reason?}`.
/// Labels are JSON as text.
enum LinkCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> LinkRecord {
        try document.checkFormat(formats)
        let key = try document.require("_id") { $0.string.flatMap { LinkKey($0) } }
        var sides: [LinkRecord.Side] = []
        for element in try document.require("party", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("party holds no document") }
            let party = LinkParty(
                user: try entry.require("u") { $0.string }, client: try entry.optional("c") { $0.string })
            sides.append(LinkRecord.Side(party: party, label: try entry.require("label") { $0.string }))
        }
        guard sides.count == 2 else { throw DocumentError("party holds \(sides.count) sides") }
        let token = try document.require("token") { $0.string.flatMap { LinkToken($0) } }
        guard token.key == key else { throw DocumentError("field token is of another link") }
        return LinkRecord(
            domain: try document.require("d") { $0.string }, sides: sides,
            state: try document.require("state") { $0.string.flatMap { LinkRecord.State(rawValue: $0) } },
            token: token, generation: try document.require("gen") { $0.int64 },
            changed: try document.require("t") { $0.date },
            reason: try document.optional("reason", self.reason))
    }

    static func reason(_ element: BSONElement) -> LinkCloseReason? {
        element.int64.flatMap { UInt8(exactly: $0) }.flatMap { LinkCloseReason(rawValue: $0) }
    }

    static func write(_ record: LinkRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("_id", record.key.text)
        self.writeFields(record, formats, into: &writer)
    }

    /// Everything but the `_id`.
    static func writeFields(_ record: LinkRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("fv", Int32(formats.written))
        writer.append("d", record.domain)
        writer.append("kind", record.sides[0].party.client == nil ? "user" : "client")
        writer.array("party") { array in
            for side in record.sides {
                array.documentElement { entry in
                    entry.append("u", side.party.user)
                    entry.append("c", ifPresent: side.party.client)
                    entry.append("label", side.label)
                }
            }
        }
        writer.append("state", record.state.rawValue)
        writer.append("token", record.token.text)
        writer.append("gen", record.generation)
        writer.append("t", BSONDate(milliseconds: record.changed))
        writer.append("x", ifPresent: record.expires.map { BSONDate(milliseconds: $0) })
        writer.append("reason", ifPresent: record.reason.map { Int32($0.rawValue) })
    }
}
