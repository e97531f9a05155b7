import NIOCore
import Wire

/// One insert command on the calling thread.
enum BusInsert {
    struct Outcome {
        /// Per envelope; a duplicate key counts as stored (SPEC ND-6).
        var stored: [Bool]
        /// The shard took the command, whatever it said to single documents.
        var isReachable: Bool
        /// Batch bytes that were sent.
        var bytes: Int
        var error: MongoError?
    }

    static func run<Receipt>(
        _ insert: OutboxInsert<Receipt>, from sender: String, collection: String, database: String, pool: MongoPool,
        formats: Formats
    ) -> Outcome {
        var bytes = 0
        var writer = BSONWriter(capacity: 1024)
        writer.append("insert", collection)
        writer.append("ordered", false)
        writer.array("documents") { documents in
            for envelope in insert.envelopes {
                let batch = self.batch(of: envelope, formats)
                bytes += batch.readableBytes
                EnvelopeDocument.append(
                    to: &documents, to: envelope.to, from: sender, sequence: envelope.sequence, batch: batch,
                    readMark: envelope.readMark, age: envelope.age)
            }
            for probe in insert.probes {
                EnvelopeDocument.append(
                    to: &documents, to: sender, from: sender, sequence: probe.sequence, batch: MessageBatch.empty)
            }
        }
        var outcome = Outcome(
            stored: Array(repeating: false, count: insert.envelopes.count), isReachable: false, bytes: bytes)
        do throws(MongoError) {
            let reply = try pool.client().run(writer.finish(), database: database, mode: .write)
            outcome.isReachable = true
            outcome.stored = Array(repeating: true, count: insert.envelopes.count)
            self.markFailures(in: reply, &outcome)
        } catch {
            outcome.error = error
        }
        return outcome
    }

    private static func batch<Receipt>(
        of envelope: OutboxInsert<Receipt>.Outgoing, _ formats: Formats
    ) -> ByteBuffer {
        do throws(EnvelopeError) {
            return try MessageBatch.encode(envelope.messages, formats)
        } catch {
            preconditionFailure(
                "every message was checked before it was queued, and their sum as they were taken: \(error)")
        }
    }

    private static func markFailures(in reply: BSONDocument, _ outcome: inout Outcome) {
        guard let errors = reply["writeErrors"]?.array else { return }
        for element in errors {
            guard let failure = element.document, let index = failure["index"]?.int, let code = failure["code"]?.int64
            else { continue }
            guard code != Int64(MongoError.duplicateKey), outcome.stored.indices.contains(index) else { continue }
            outcome.stored[index] = false
            outcome.error = MongoError(
                .server(Int32(clamping: code)), operation: "insert", message: failure["errmsg"]?.string ?? "no message")
        }
    }
}
