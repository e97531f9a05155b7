import Routing
import Wire

/// Node records as they are stored (SPEC §2): `{_id, fv, st, b, name, at, by, cb, t, homes: [{sh, sl}], f, fr, in}`, and beside them
/// `now` (the primary's clock at the last renewal), `sus` (the newest suspicion) and `x` (when a tombstone goes).
enum NodeCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> NodeRecord {
        try document.checkFormat(formats)
        var homes: [NodeRecord.Home] = []
        for element in try document.require("homes", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("homes holds no document") }
            homes.append(
                NodeRecord.Home(
                    shard: try entry.require("sh") { $0.string }, slot: try entry.require("sl") { $0.int }))
        }
        var record = NodeRecord(
            id: try document.require("_id") { $0.string.flatMap { NodeID($0) } },
            name: try document.optional("name") { $0.string }, address: try document.optional("at") { $0.string },
            started: try document.require("t") { $0.date }, homes: homes,
            format: try document.require("f") { $0.int })
        if let newest = try document.optional("fr", { $0.int }) { record.newestFormat = newest }
        record.state = try document.require("st") {
            $0.int64.flatMap { UInt8(exactly: $0) }.flatMap { NodeRecord.State(rawValue: $0) }
        }
        record.beat = try document.require("b") { $0.int64 }
        record.claimedBy = try document.optional("by") { $0.string.flatMap { NodeID($0) } }
        record.claimBeat = try document.require("cb") { $0.int64 }
        // Older nodes say nothing of it.
        record.intake = try document.optional("in") { $0.int.flatMap { $0 >= 0 ? $0 : nil } }
        return record
    }

    static func write(_ record: NodeRecord, _ formats: Formats, into writer: inout BSONWriter) {
        writer.append("fv", Int32(formats.written))
        writer.append("st", Int32(record.state.rawValue))
        writer.append("b", record.beat)
        writer.append("name", ifPresent: record.name)
        writer.append("at", ifPresent: record.address)
        writer.append("by", ifPresent: record.claimedBy?.text)
        writer.append("cb", record.claimBeat)
        writer.append("t", BSONDate(milliseconds: record.started))
        writer.array("homes") { homes in
            for home in record.homes {
                homes.documentElement {
                    $0.append("sh", home.shard)
                    $0.append("sl", Int32(clamping: home.slot))
                }
            }
        }
        writer.append("f", Int32(clamping: record.format))
        writer.append("fr", Int32(clamping: record.newestFormat))
        if let intake = record.intake { writer.append("in", Int32(clamping: intake)) }
    }
}
