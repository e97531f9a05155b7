import NIOCore
import Routing
import Wire

/// One collection of the database, and what every store does alike: deadlines, `maxTimeMS`, and the meaning of failures.
struct MongoStoreAccess: Sendable {
    let database: String
    let collection: String

    /// Below the client's deadline, so that the server gives up first and the connection stays good (SPEC ND-14).
    static func maxTime(_ commands: MongoCommands) -> Int64 { commands.pool.options.majorityTimeout.wholeMilliseconds }

    /// A `find` that reads to the end, repeated once when it failed early in a way that passes.
    func find(
        _ operation: String, through commands: MongoCommands, isPartialAllowed: Bool = false,
        _ build: (inout BSONWriter) -> Void
    ) async throws(StoreError) -> MongoBatch {
        let command = BSONWriter.document { command in
            command.append("find", self.collection)
            build(&command)
            if isPartialAllowed { command.append("allowPartialResults", true) }
            command.append("maxTimeMS", Self.maxTime(commands))
        }
        let database = self.database
        let latestRepeat = NIODeadline.now() + commands.timeout / 2
        do throws(MongoError) {
            return try await commands.perform(operation) { client throws(MongoError) in
                do throws(MongoError) {
                    return try client.everything(command, database: database)
                } catch  where error.isTransient && NIODeadline.now() < latestRepeat {
                    return try client.everything(command, database: database)
                }
            }
        } catch {
            throw Self.readFailure(error, operation: operation)
        }
    }

    /// A command that writes.
    func write(
        _ operation: String, through commands: MongoCommands, _ command: ByteBuffer,
        mode: MongoCommandMode = .write
    ) async throws(StoreError) -> BSONDocument {
        let database = self.database
        do throws(MongoError) {
            return try await commands.perform(operation) { client throws(MongoError) in
                try client.run(command, database: database, mode: mode)
            }
        } catch {
            throw Self.writeFailure(error, operation: operation)
        }
    }

    /// One `update` statement; a refusal by the server is thrown.
    /// - Returns: how many documents the filter met, and how many changed.
    func update(
        _ operation: String, through commands: MongoCommands, multi: Bool = false,
        filter: BSONDocument, change: (inout BSONWriter) -> Void
    ) async throws(StoreError) -> (matched: Int, modified: Int) {
        let command = BSONWriter.document { command in
            command.append("update", self.collection)
            command.array("updates") { statements in
                statements.documentElement { statement in
                    statement.append("q", filter)
                    change(&statement)
                    if multi { statement.append("multi", true) }
                }
            }
            command.append("maxTimeMS", Self.maxTime(commands))
        }
        let reply = try await self.write(
            operation, through: commands, command, mode: multi ? .writeOnce : .write)
        if let failure = reply["writeErrors"]?.array?["0"]?.document {
            throw Self.statementFailure(failure, operation: operation)
        }
        return (reply["n"]?.int ?? 0, reply["nModified"]?.int ?? 0)
    }

    /// - Returns: the document as it is afterwards; nil when the filter met none.
    func findAndModify(
        _ operation: String, through commands: MongoCommands, filter: BSONDocument,
        change: (inout BSONWriter) -> Void
    ) async throws(StoreError) -> BSONDocument? {
        let command = BSONWriter.document { command in
            command.append("findAndModify", self.collection)
            command.append("query", filter)
            change(&command)
            command.append("new", true)
            command.append("maxTimeMS", Self.maxTime(commands))
        }
        let reply = try await self.write(operation, through: commands, command)
        return reply["value"]?.document
    }

    /// What the server says about one statement of a batch.
    static func statementFailure(_ failure: BSONDocument, operation: String) -> StoreError {
        let error = MongoError(
            .server(Int32(clamping: failure["code"]?.int64 ?? 0)), operation: operation,
            message: failure["errmsg"]?.string ?? "no message")
        return self.writeFailure(error, operation: operation)
    }

    static func isDuplicate(_ failure: BSONDocument) -> Bool {
        failure["code"]?.int64 == Int64(MongoError.duplicateKey)
    }

    /// After a write, whatever passes by itself may have happened: also "not the primary", which can be the answer to a
    /// repetition by the driver.
    static func writeFailure(_ error: MongoError, operation: String) -> StoreError {
        let code: StoreError.Code =
            switch error.code {
            case .unreachable: .unavailable
            case .unknownOutcome, .malformedReply: .unknownOutcome
            case .server: error.isTransient ? .unknownOutcome : .rejected
            case .refused: .rejected
            }
        return StoreError(code, operation: operation, message: error.message)
    }

    static func readFailure(_ error: MongoError, operation: String) -> StoreError {
        let code: StoreError.Code =
            switch error.code {
            case .unreachable: .unavailable
            case .unknownOutcome: .unknownOutcome
            case .server: error.isTransient ? .unavailable : .rejected
            case .malformedReply, .refused: .rejected
            }
        return StoreError(code, operation: operation, message: error.message)
    }
}

extension TimeAmount {
    fileprivate static func / (amount: TimeAmount, divisor: Int64) -> TimeAmount {
        .nanoseconds(amount.nanoseconds / divisor)
    }
}
