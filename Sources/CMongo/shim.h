#ifndef SUBMERGENCE_CMONGO_SHIM_H
#define SUBMERGENCE_CMONGO_SHIM_H

/// The boundary to libmongoc. Only bytes cross it: a `bson_t` is 128-byte aligned here and laid out otherwise by Swift, so
/// none is ever made, copied or held there.

#include <mongoc/mongoc.h>
#include <string.h>

/// Which of libmongoc's command functions runs a command.
typedef enum {
    CMONGO_PLAIN = 0,  ///< As it is, to the primary or the given server; nothing is added.
    CMONGO_WRITE = 1,  ///< The client's write concern is added.
} cmongo_mode_t;

static inline const char *cmongo_error_message(const bson_error_t *error) { return error->message; }

/// Runs one command, once: none of these functions repeats one by itself.
/// - session: null, or the session that every command of one cursor must share.
/// - server: 0, or the id of the server that must run it.
/// - transaction: 0, or the transaction number of a retryable write; it needs a session.
/// - reply: set in every case (an empty document at least); the caller frees it with `bson_free`.
static inline bool cmongo_command(
    mongoc_client_t *client, const char *database, cmongo_mode_t mode, const uint8_t *bytes, size_t length,
    const mongoc_client_session_t *session, uint32_t server, int64_t transaction, uint8_t **reply,
    uint32_t *reply_length, bson_error_t *error
) {
    bson_t command, answer, options = BSON_INITIALIZER;
    bool ok = true;
    *reply = NULL;
    *reply_length = 0;
    memset(error, 0, sizeof *error);
    if (!bson_init_static(&command, bytes, length)) {
        bson_set_error(error, MONGOC_ERROR_BSON, MONGOC_ERROR_BSON_INVALID, "the command is not valid BSON");
        bson_destroy(&options);
        return false;
    }
    if (session) ok = mongoc_client_session_append(session, &options, error);
    if (ok && server) ok = BSON_APPEND_INT32(&options, "serverId", (int32_t)server);
    if (ok && transaction) ok = BSON_APPEND_INT64(&options, "txnNumber", transaction);
    if (!ok) {
        bson_destroy(&options);
        return false;
    }
    if (mode == CMONGO_WRITE) {
        ok = mongoc_client_write_command_with_opts(client, database, &command, &options, &answer, error);
    } else {
        ok = mongoc_client_command_with_opts(client, database, &command, NULL, &options, &answer, error);
    }
    bson_destroy(&options);
    *reply = bson_destroy_with_steal(&answer, true, reply_length);
    return ok;
}

/// - Returns: the id of the server that writes go to (the primary, or one router); 0 with `error` set when there is none.
static inline uint32_t cmongo_writable_server(mongoc_client_t *client, bson_error_t *error) {
    mongoc_server_description_t *server = mongoc_client_select_server(client, true, NULL, error);
    uint32_t id;
    if (!server) return 0;
    id = mongoc_server_description_id(server);
    mongoc_server_description_destroy(server);
    return id;
}

/// A session without causal consistency: it would add `afterClusterTime` to reads, which is of no use to one cursor.
static inline mongoc_client_session_t *cmongo_start_session(mongoc_client_t *client, bson_error_t *error) {
    mongoc_session_opt_t *options = mongoc_session_opts_new();
    mongoc_client_session_t *session;
    mongoc_session_opts_set_causal_consistency(options, false);
    session = mongoc_client_start_session(client, options, error);
    mongoc_session_opts_destroy(options);
    return session;
}

/// Majority, journaled (SPEC ND-14), with a time limit for the wait, in milliseconds.
static inline void cmongo_set_write_concern(mongoc_uri_t *uri, int64_t timeout) {
    mongoc_write_concern_t *concern = mongoc_write_concern_new();
    mongoc_write_concern_set_w(concern, MONGOC_WRITE_CONCERN_W_MAJORITY);
    mongoc_write_concern_set_journal(concern, true);
    mongoc_write_concern_set_wtimeout_int64(concern, timeout);
    mongoc_uri_set_write_concern(uri, concern);
    mongoc_write_concern_destroy(concern);
}

/// Everything is read from the primary (SPEC ND-14), whatever the URI says.
static inline void cmongo_set_primary_reads(mongoc_uri_t *uri) {
    mongoc_read_prefs_t *preference = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_uri_set_read_prefs_t(uri, preference);
    mongoc_read_prefs_destroy(preference);
}

#endif
