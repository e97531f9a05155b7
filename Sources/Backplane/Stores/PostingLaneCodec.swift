import Routing
import Wire

/// Leases of lanes as they are stored: `{_id: lane, fv, s, g, h?, a?}`: stream, generation, holder, asker.
enum PostingLaneCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> PostingLaneRecord {
        try document.checkFormat(formats)
        return PostingLaneRecord(
            lane: try document.require("_id") { element in
                element.int.flatMap { (0..<PostingLaneRecord.count).contains($0) ? $0 : nil }
            },
            stream: try document.require("s") { $0.int64.flatMap { RecoveryStream(code: $0) } },
            holder: try document.optional("h") { $0.string.flatMap { NodeID($0) } },
            generation: try document.require("g") { element in
                element.int64.flatMap { (0..<1 << 29).contains($0) ? $0 : nil }
            },
            asker: try document.optional("a") { $0.string.flatMap { NodeID($0) } })
    }
}
