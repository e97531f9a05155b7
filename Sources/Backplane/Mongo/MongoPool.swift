import CMongo

/// Owns a `mongoc_client_pool_t`. Every client retains the pool, so `deinit` runs after the last one is back.
///
/// Invariant for `@unchecked Sendable`: `raw` never changes, and libmongoc makes pool push and pop thread-safe.
package final class MongoPool: @unchecked Sendable {
    private let raw: OpaquePointer
    package let options: MongoPoolOptions
    /// As given, with the password replaced: for logs.
    package let redactedURI: String

    /// Does not connect yet. All reads go to the primary; writes are majority and journaled (SPEC ND-14).
    package init(uri: String, options: MongoPoolOptions = MongoPoolOptions()) throws(MongoError) {
        MongoDriver.start
        self.options = options
        self.redactedURI = MongoURI.redacted(uri)
        var error = bson_error_t()
        guard let parsed = mongoc_uri_new_with_error(uri, &error) else {
            throw MongoError(error, operation: "parse the MongoDB URI")
        }
        defer { mongoc_uri_destroy(parsed) }
        try Self.apply(options, to: parsed)
        guard let raw = mongoc_client_pool_new_with_error(parsed, &error) else {
            throw MongoError(error, operation: "make a MongoDB pool")
        }
        guard mongoc_client_pool_set_error_api(raw, MONGOC_ERROR_API_VERSION_2) else {
            preconditionFailure("a new pool takes the error version")
        }
        self.raw = raw
    }

    /// Blocks for a free client, at most `leaseTimeout`. Call from the program's own threads only, never from an event loop.
    package func client() throws(MongoError) -> MongoClient {
        guard let client = mongoc_client_pool_pop(self.raw) else {
            throw MongoError(.unreachable, operation: "lease", message: "no MongoDB client became free in time")
        }
        return MongoClient(raw: client, pool: self)
    }

    fileprivate func take(back client: OpaquePointer) { mongoc_client_pool_push(self.raw, client) }

    deinit { mongoc_client_pool_destroy(self.raw) }

    private static func apply(_ options: MongoPoolOptions, to uri: OpaquePointer) throws(MongoError) {
        let durations: [(String, Int64)] = [
            (MONGOC_URI_SOCKETTIMEOUTMS, options.commandTimeout.wholeMilliseconds),
            (MONGOC_URI_CONNECTTIMEOUTMS, options.connectTimeout.wholeMilliseconds),
            (MONGOC_URI_SERVERSELECTIONTIMEOUTMS, options.selectionTimeout.wholeMilliseconds),
            (MONGOC_URI_WAITQUEUETIMEOUTMS, options.leaseTimeout.wholeMilliseconds),
            (MONGOC_URI_MAXPOOLSIZE, Int64(options.size)),
        ]
        for (name, value) in durations {
            guard mongoc_uri_set_option_as_int32(uri, name, Int32(clamping: value)) else { throw Self.refused(name) }
        }
        // With one host and nothing said, libmongoc takes even a router for a single server.
        let isSaid =
            mongoc_uri_has_option(uri, MONGOC_URI_DIRECTCONNECTION)
            || mongoc_uri_get_option_as_bool(uri, MONGOC_URI_LOADBALANCED, false)
        if !isSaid, !mongoc_uri_set_option_as_bool(uri, MONGOC_URI_DIRECTCONNECTION, false) {
            throw Self.refused(MONGOC_URI_DIRECTCONNECTION)
        }
        if mongoc_uri_get_appname(uri) == nil, !mongoc_uri_set_appname(uri, options.appName) {
            throw Self.refused(MONGOC_URI_APPNAME)
        }
        // Retryable writes carry a transaction number of our own (`MongoClient.run`); the driver must not add another.
        guard mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false) else {
            throw Self.refused(MONGOC_URI_RETRYWRITES)
        }
        cmongo_set_write_concern(uri, options.majorityTimeout.wholeMilliseconds)
        cmongo_set_primary_reads(uri)
    }

    private static func refused(_ option: String) -> MongoError {
        MongoError(.refused, operation: "make a MongoDB pool", message: "the driver does not take option \(option)")
    }
}

/// One client for one thread: not `Sendable`, back in the pool when it goes out of scope.
///
/// Its commands block. Not for event loops or cooperative threads: those use ``MongoCommands``.
package struct MongoClient: ~Copyable {
    let raw: OpaquePointer
    package let pool: MongoPool

    fileprivate init(raw: OpaquePointer, pool: MongoPool) {
        self.raw = raw
        self.pool = pool
    }

    deinit { self.pool.take(back: self.raw) }
}
