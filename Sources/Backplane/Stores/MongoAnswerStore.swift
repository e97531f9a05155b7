package import Logging
package import Routing
import Wire

/// Answers to requests with an idempotency key in MongoDB: one collection, sharded by the hashed hash of the key. The server removes
/// them within about a minute of their end.
package final class MongoAnswerStore: AnswerStore {
    private let answers: HashedCollection

    package init(settings: MongoSettings, shards: ShardMap, lanes: [MongoCommands], logger: Logger) {
        self.answers = HashedCollection(
            settings.collections.answers, name: "answers", kind: "answer", settings: settings, shards: shards,
            lanes: lanes, logger: logger)
    }

    package func begin(_ record: AnswerRecord) async throws(StoreError) -> AnswerRecord? {
        let formats = self.answers.formats
        let isFirst = try await self.answers.insert("answers.begin", record.id) {
            AnswerCodec.write(record, formats, into: &$0)
        }
        if isFirst { return nil }
        guard let found = try await self.find(record.id) else {
            throw StoreError(.busy, operation: "answers.begin", message: "the record went while it was looked at")
        }
        // An insert that the driver has repeated finds its own.
        if found.attempt == record.attempt { return nil }
        guard found.isOver(at: SystemClusterClock().wallTime()) else { return found }
        let taken = try await self.answers.update(
            "answers.take", record.id, where: { $0.append("a", BSONBinary(found.attempt)) }
        ) { update in
            update.document("$set") {
                AnswerCodec.writeRest(of: record, formats, into: &$0)
                $0.append("x", BSONDate(milliseconds: record.expires))
            }
            update.document("$unset") { $0.append("b", "") }
        }.modified
        if taken == 1 { return nil }
        return try await self.find(record.id) ?? found
    }

    package func finish(
        _ id: [UInt8], attempt: [UInt8], answer: [UInt8], expires: Int64
    ) async throws(StoreError) -> Bool {
        try await self.change("answers.finish", id, attempt) {
            $0.append("b", BSONBinary(answer))
            $0.append("x", BSONDate(milliseconds: expires))
        } == 1
    }

    package func abandon(_ id: [UInt8], attempt: [UInt8]) async throws(StoreError) {
        _ = try await self.change("answers.abandon", id, attempt) { $0.append("t", BSONDate(milliseconds: 0)) }
    }

    private func change(
        _ operation: String, _ id: [UInt8], _ attempt: [UInt8], _ set: (inout BSONWriter) -> Void
    ) async throws(StoreError) -> Int {
        try await self.answers.update(operation, id, where: { $0.append("a", BSONBinary(attempt)) }) { update in
            update.document("$set", set)
        }.matched
    }

    private func find(_ id: [UInt8]) async throws(StoreError) -> AnswerRecord? {
        try await self.answers.find("answers.read", id, AnswerCodec.decode)
    }
}
