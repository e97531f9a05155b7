import CMongo
import NIOCore
import Wire

/// A cursor's id, session and server: what every further command on it needs. Lives on the thread of the client that it is
/// given with each call.
struct OpenCursor: ~Copyable {
    private(set) var id: Int64
    private(set) var firstBatch: MongoBatch
    private let database: String
    private let collection: String
    private let server: UInt32
    private let session: OpaquePointer

    /// Runs the command on the primary (or one router) in a session of its own: a server refuses a `getMore` from another.
    init(_ command: ByteBuffer, database: String, on client: borrowing MongoClient) throws(MongoError) {
        let operation = MongoClient.name(of: command)
        var error = bson_error_t()
        let server = cmongo_writable_server(client.raw, &error)
        guard server != 0 else { throw MongoError(error, operation: operation) }
        guard let session = cmongo_start_session(client.raw, &error) else {
            throw MongoError(error, operation: operation)
        }
        do throws(MongoError) {
            let reply = try client.run(command, database: database, raw: CMONGO_PLAIN, session: session, server: server)
            (self.firstBatch, self.id) = try MongoBatch.parse(reply, operation: operation)
            let namespace = reply["cursor"]?.document?["ns"]?.string ?? ""
            self.collection = String(namespace.dropFirst(database.utf8.count + 1))
        } catch {
            mongoc_client_session_destroy(session)
            throw error
        }
        self.database = database
        self.server = server
        self.session = session
    }

    /// - Parameter maxAwait: how long a tailing cursor may wait for a first document; nil for other cursors.
    mutating func more(on client: borrowing MongoClient, maxAwait: TimeAmount?) throws(MongoError) -> MongoBatch {
        let reply = try client.run(
            BSONWriter.document {
                $0.append("getMore", self.id)
                $0.append("collection", self.collection)
                $0.append("maxTimeMS", ifPresent: maxAwait?.wholeMilliseconds)
            }, database: self.database, raw: CMONGO_PLAIN, session: self.session, server: self.server)
        let (batch, id) = try MongoBatch.parse(reply, operation: "getMore")
        self.id = id
        return batch
    }

    /// Ends the cursor at the server if it is still open, and its session. The owner calls it once, last of all. A failure is
    /// of no interest: the server forgets an idle cursor.
    borrowing func close(on client: borrowing MongoClient) {
        if self.id != 0 {
            let kill = BSONWriter.document {
                $0.append("killCursors", self.collection)
                $0.array("cursors") { $0.element(self.id) }
            }
            _ = try? client.run(
                kill, database: self.database, raw: CMONGO_PLAIN, session: self.session, server: self.server)
        }
        mongoc_client_session_destroy(self.session)
    }
}
