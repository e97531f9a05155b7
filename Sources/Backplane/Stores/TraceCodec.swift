import Routing
import Wire

/// Traces as they are stored, one document for an event: `{_id, fv, x, s: [{t, n, k, d: {…}}]}`.
enum TraceCodec {
    static func write(_ step: TraceStep, into writer: inout BSONWriter) {
        writer.append("t", BSONDate(milliseconds: step.time))
        writer.append("n", step.node)
        writer.append("k", step.hop.kind)
        writer.document("d") { details in
            for (name, value) in step.hop.details.sorted(by: { $0.key < $1.key }) { details.append(name, value) }
        }
    }

    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> [TraceStep] {
        try document.checkFormat(formats)
        let event = try document.require("_id") { $0.string.flatMap { TraceID($0) } }
        var steps: [TraceStep] = []
        for element in try document.require("s", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("s holds no document") }
            var details: [String: String] = [:]
            for detail in try entry.require("d", { $0.document }) { details[detail.name] = detail.string }
            steps.append(
                TraceStep(
                    event: event, time: try entry.require("t") { $0.date }, node: try entry.require("n") { $0.string },
                    hop: TraceHop(kind: try entry.require("k") { $0.string }, details: details)))
        }
        return steps
    }
}
