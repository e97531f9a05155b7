import NIOCore
package import Routing
import Wire

extension MongoPostingStore {
    package func assign(
        _ assignments: [PostingAssignment]
    ) async throws(StoreError) -> (confirmed: Set<PostingID>, gone: Set<PostingID>) {
        try await self.update("outbox.assign", assignments) { assignment, statement in
            statement.document("q") { filter in
                Self.identify(assignment.id, into: &filter)
                if let replaced = assignment.replacing {
                    Self.expect(replaced, into: &filter)
                } else {
                    filter.append("state", BSONNull())
                }
            }
            statement.document("u") { update in
                update.document("$set") { fields in
                    fields.append("state", PostingCodec.begun)
                    PostingCodec.write(assignment.number, into: &fields)
                }
            }
        }
        // The reply has sums only. What is there now is as good, also when this is a repetition.
        let batch = try await self.access.find("outbox.assigned", through: self.commands) { command in
            command.document("filter") { filter in
                filter.document("_id") { condition in
                    condition.array("$in") { list in
                        for id in assignments.compactMap(\.id.element) { list.element(id) }
                    }
                }
            }
            command.document("projection") { projection in
                projection.append("state", Int32(1))
                projection.append("lane", Int32(1))
            }
        }
        var gone = Set(assignments.map(\.id))
        var confirmed: Set<PostingID> = []
        let wanted = Dictionary(assignments.map { ($0.id, $0.number) }) { $1 }
        for document in batch.documents {
            guard let id = PostingID(of: document) else { continue }
            gone.remove(id)
            let isBegun = document["state"]?.string == PostingCodec.begun
            if isBegun, let number = PostingCodec.number(of: document), number == wanted[id] { confirmed.insert(id) }
        }
        return (confirmed, gone)
    }

    package func settle(
        _ settlements: [PostingSettlement], now: Int64
    ) async throws(StoreError) -> Set<PostingID> {
        var marked: [PostingSettlement] = []
        var removed: [PostingSettlement] = []
        for settlement in settlements {
            if case .delivered = settlement.result, self.keep == 0 {
                removed.append(settlement)
            } else {
                marked.append(settlement)
            }
        }
        var failed = try await self.update("outbox.settle", marked) { settlement, statement in
            statement.document("q") { Self.expect(settlement, into: &$0) }
            statement.document("u") { update in
                update.document("$set") { self.end(settlement.result, now, into: &$0) }
            }
        }
        failed.formUnion(try await self.remove(removed))
        return failed
    }

    private func end(_ result: PostingSettlement.Result, _ now: Int64, into fields: inout BSONWriter) {
        var keep = self.keep
        switch result {
        case .delivered(let receipt, let isComplete, let attempts):
            fields.append("state", PostingCodec.delivered)
            fields.document("receipt") { document in
                document.append("at", BSONDate(milliseconds: now))
                document.append("complete", isComplete)
                document.append("attempts", Int32(clamping: attempts))
                for element in receipt { document.append(element.name, element) }
            }
        case .refused(let refusal):
            // Long enough for somebody to look.
            keep = max(keep, 86_400_000)
            fields.append("state", PostingCodec.refused)
            fields.document("error") { document in
                document.append("code", refusal.code.rawValue)
                document.append("message", refusal.message)
            }
        }
        fields.append("expires", BSONDate(milliseconds: now + keep))
    }

    /// Updates of single documents in one command; one that meets no document does nothing.
    /// - Returns: those that the server refused.
    @discardableResult
    private func update<Item: PostingItem>(
        _ operation: String, _ items: [Item], _ write: (Item, inout BSONWriter) -> Void
    ) async throws(StoreError) -> Set<PostingID> {
        guard !items.isEmpty else { return [] }
        let command = BSONWriter.document { command in
            command.append("update", self.access.collection)
            command.append("ordered", false)
            command.array("updates") { statements in
                for item in items { statements.documentElement { write(item, &$0) } }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(self.commands))
        }
        let reply = try await self.access.write(operation, through: self.commands, command)
        return self.failures(in: reply, items, operation)
    }

    private func remove(_ settlements: [PostingSettlement]) async throws(StoreError) -> Set<PostingID> {
        guard !settlements.isEmpty else { return [] }
        let command = BSONWriter.document { command in
            command.append("delete", self.access.collection)
            command.append("ordered", false)
            command.array("deletes") { statements in
                for settlement in settlements {
                    statements.documentElement { statement in
                        statement.document("q") { Self.expect(settlement, into: &$0) }
                        statement.append("limit", Int32(1))
                    }
                }
            }
            command.append("maxTimeMS", MongoStoreAccess.maxTime(self.commands))
        }
        let reply = try await self.access.write("outbox.remove", through: self.commands, command)
        return self.failures(in: reply, settlements, "outbox.remove")
    }

    private func failures(in reply: BSONDocument, _ items: [some PostingItem], _ operation: String) -> Set<PostingID> {
        var failed: Set<PostingID> = []
        for element in reply["writeErrors"]?.array ?? BSONDocument({ _ in }) {
            guard let failure = element.document, let index = failure["index"]?.int, items.indices.contains(index)
            else { continue }
            failed.insert(items[index].id)
            self.refused(items[index].id, MongoStoreAccess.statementFailure(failure, operation: operation))
        }
        return failed
    }

    private static func identify(_ id: PostingID, into filter: inout BSONWriter) {
        if let element = id.element { filter.append("_id", element) }
    }

    private static func expect(_ settlement: PostingSettlement, into filter: inout BSONWriter) {
        self.identify(settlement.id, into: &filter)
        if let number = settlement.number {
            self.expect(number, into: &filter)
        } else {
            filter.append("state", BSONNull())
        }
    }

    private static func expect(_ number: PostingNumber, into filter: inout BSONWriter) {
        filter.append("state", PostingCodec.begun)
        filter.append("lane.s", number.stream.code)
        filter.append("lane.n", number.number)
    }
}

/// What is written to one document.
private protocol PostingItem {
    var id: PostingID { get }
}

extension PostingAssignment: PostingItem {}
extension PostingSettlement: PostingItem {}
