/* Proves that libmongoc takes the router for a mongos: pool, inserts, a change stream. Usage: libmongoc-check URI */
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <string.h>

static const char* topo = "?";
static void changed(const mongoc_apm_topology_changed_t* e) {
    topo = mongoc_topology_description_type(mongoc_apm_topology_changed_get_new_description(e));
}
#define CHECK(x)                                                             \
    do {                                                                     \
        if (!(x)) {                                                          \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #x, err.message); \
            return 1;                                                        \
        }                                                                    \
    } while (0)

int main(int argc, char** argv) {
    bson_error_t err = {0};
    bson_t reply, *cmd;
    const bson_t* doc;
    int got = 0;
    if (argc < 2)
        return 2;
    mongoc_init();
    mongoc_uri_t* uri = mongoc_uri_new(argv[1]);
    mongoc_client_pool_t* pool = mongoc_client_pool_new(uri);
    mongoc_apm_callbacks_t* cb = mongoc_apm_callbacks_new();
    mongoc_apm_set_topology_changed_cb(cb, changed);
    mongoc_client_pool_set_apm_callbacks(pool, cb, NULL);
    mongoc_client_pool_set_error_api(pool, 2);
    mongoc_client_t *a = mongoc_client_pool_pop(pool), *b = mongoc_client_pool_pop(pool);
    cmd = BCON_NEW("shardCollection", "libmongoc.events", "key", "{", "to", "hashed", "}");
    CHECK(mongoc_client_command_simple(a, "admin", cmd, NULL, &reply, &err));
    bson_destroy(&reply);
    bson_destroy(cmd);
    mongoc_collection_t *ca = mongoc_client_get_collection(a, "libmongoc", "events"),
                        *cc = mongoc_client_get_collection(b, "libmongoc", "events");
    bson_t *pipe = BCON_NEW("pipeline", "[", "{", "$match", "{", "operationType", "insert", "}", "}", "]"),
           *opts = BCON_NEW("maxAwaitTimeMS", BCON_INT64(200));
    mongoc_change_stream_t* cs = mongoc_collection_watch(cc, pipe, opts);
    CHECK(!mongoc_change_stream_next(cs, &doc));
    {
        const bson_t* r;
        CHECK(!mongoc_change_stream_error_document(cs, &err, &r));
    }
    for (int i = 0; i < 100; i++) {
        char to[16];
        snprintf(to, sizeof to, "u%d", i);
        bson_t* d = BCON_NEW("to", BCON_UTF8(to), "i", BCON_INT32(i));
        CHECK(mongoc_collection_insert_one(ca, d, NULL, NULL, &err));
        bson_destroy(d);
    }
    for (int tries = 0; got < 100 && tries < 100; tries++)
        while (mongoc_change_stream_next(cs, &doc)) {
            bson_iter_t it, sub;
            CHECK(bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, "fullDocument.i", &sub) &&
                  bson_iter_int32(&sub) == got);
            got++;
        }
    CHECK(got == 100);
    CHECK(!strcmp(topo, "Sharded"));
    mongoc_find_and_modify_opts_t* o = mongoc_find_and_modify_opts_new();
    bson_t *q = BCON_NEW("to", "u1"), *u = BCON_NEW("$set", "{", "x", BCON_INT32(1), "}");
    mongoc_find_and_modify_opts_set_update(o, u);
    mongoc_find_and_modify_opts_set_flags(o, MONGOC_FIND_AND_MODIFY_UPSERT | MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    CHECK(mongoc_collection_find_and_modify_with_opts(ca, q, o, &reply, &err));
    bson_destroy(&reply);
    CHECK(mongoc_client_get_database(a, "libmongoc") && mongoc_collection_drop(ca, &err));
    mongoc_change_stream_destroy(cs);
    printf("libmongoc %s: topology %s, %d events in order\n", MONGOC_VERSION_S, topo, got);
    return 0;
}
