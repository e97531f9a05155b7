import CMongo
package import NIOCore
import Synchronization
package import Wire

/// How a command is run.
package enum MongoCommandMode: Sendable {
    /// As it is, once, to the primary (or router).
    case plain
    /// Majority and journaled, once: commands that take no transaction number, as updates of many documents (`multi`) and
    /// those that make collections and indexes.
    case writeOnce
    /// Majority, journaled and *retryable* (SPEC ND-14): it carries a transaction number, and is repeated once after a
    /// failure that passes, without ever taking effect twice. `insert`, `findAndModify`, and `update` and `delete` of single
    /// documents.
    case write
}

extension MongoClient {
    /// Runs one command and waits for its answer, at most the pool's `commandTimeout` for each try.
    ///
    /// `writeErrors` of single statements are in the reply and throw nothing; a failed write concern throws
    /// `unknownOutcome`, as the writes may be there and may be lost again.
    /// - Parameter command: one BSON document, the command's name first.
    package borrowing func run(
        _ command: ByteBuffer, database: String, mode: MongoCommandMode = .plain
    ) throws(MongoError) -> BSONDocument {
        guard mode == .write, self.pool.options.retriesWrites else {
            return try self.run(
                command, database: database, raw: mode == .plain ? CMONGO_PLAIN : CMONGO_WRITE, session: nil, server: 0)
        }
        return try self.runRetryable(command, database: database)
    }

    /// The driver repeats only what goes through its own bulk interface, so the retryable-writes rule is followed here: the
    /// second try has the same session and transaction number. A try that used up the time is not repeated.
    private borrowing func runRetryable(
        _ command: ByteBuffer, database: String
    ) throws(MongoError) -> BSONDocument {
        var error = bson_error_t()
        guard let session = cmongo_start_session(self.raw, &error) else {
            throw MongoError(error, operation: Self.name(of: command))
        }
        defer { mongoc_client_session_destroy(session) }
        let transaction = nextTransaction.add(1, ordering: .relaxed).newValue
        let deadline = NIODeadline.now() + self.pool.options.commandTimeout
        do throws(MongoError) {
            return try self.run(
                command, database: database, raw: CMONGO_WRITE, session: session, server: 0, transaction: transaction)
        } catch  where error.isRetryableWrite && NIODeadline.now() < deadline {
            let first = error
            do throws(MongoError) {
                return try self.run(
                    command, database: database, raw: CMONGO_WRITE, session: session, server: 0,
                    transaction: transaction)
            } catch  where error.code == .unreachable {
                // What the first try did is still what is not known.
                throw first
            }
        }
    }

    borrowing func run(
        _ command: ByteBuffer, database: String, raw mode: cmongo_mode_t, session: OpaquePointer?, server: UInt32,
        transaction: Int64 = 0
    ) throws(MongoError) -> BSONDocument {
        var bytes: UnsafeMutablePointer<UInt8>?
        var length: UInt32 = 0
        var error = bson_error_t()
        let isDone = command.withUnsafeReadableBytes { command in
            let start = command.bindMemory(to: UInt8.self).baseAddress
            return cmongo_command(
                self.raw, database, mode, start, command.count, session, server, transaction, &bytes, &length, &error)
        }
        defer { bson_free(bytes) }
        let name = Self.name(of: command)
        let reply: BSONDocument?
        do throws(BSONError) {
            reply = try bytes.map { bytes throws(BSONError) in
                try BSONDocument(ByteBuffer(bytes: UnsafeBufferPointer(start: bytes, count: Int(length))))
            }
        } catch {
            throw MongoError(.malformedReply, operation: name, message: "\(error)")
        }
        guard isDone, let reply else { throw MongoError(error, operation: name, reply: reply) }
        if let failure = reply["writeConcernError"]?.document {
            throw MongoError(
                .unknownOutcome, operation: name,
                message: "write concern: \(failure["errmsg"]?.string ?? "no message")")
        }
        return reply
    }

    /// Runs a command that answers with a cursor, and reads that to its end. For answers known to be small: all of it is held.
    /// - Parameter command: a `find`, `aggregate` or `list...` command.
    package borrowing func documents(
        _ command: ByteBuffer, database: String
    ) throws(MongoError) -> [BSONDocument] {
        try self.everything(command, database: database).documents
    }

    /// As ``documents(_:database:)``; also tells whether the answer is partial.
    package borrowing func everything(_ command: ByteBuffer, database: String) throws(MongoError) -> MongoBatch {
        var cursor = try OpenCursor(command, database: database, on: self)
        var all = cursor.firstBatch
        while cursor.id != 0 {
            do throws(MongoError) {
                let batch = try cursor.more(on: self, maxAwait: nil)
                all.documents += batch.documents
                all.isPartial = all.isPartial || batch.isPartial
            } catch {
                cursor.close(on: self)
                throw error
            }
        }
        cursor.close(on: self)
        return all
    }

    /// The first field's name.
    static func name(of command: ByteBuffer) -> String {
        let bytes = command.readableBytesView.dropFirst(5).prefix { $0 != 0 }
        return String(decoding: bytes.prefix(64), as: UTF8.self)
    }
}

/// Transaction numbers have to rise in every session; sessions are shared by all clients of a pool, hence one for all.
private let nextTransaction = Atomic<Int64>(0)
