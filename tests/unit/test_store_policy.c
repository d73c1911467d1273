// The policy set in a real Redis: documents in pieces, versions of which exactly one wins, what is too much, what was lost,
// and which node has which.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "proto/base/mem.h"
#include "tests/support/store_scene.h"
#include "tests/support/table.h"

enum { SMALL = 40 };

// ---- what came back

struct heard {
    unsigned tips, staged;
    struct store_version tip;
    bool is_held;
    char document[STORE_DOCUMENT_NAME];
};

struct came {
    unsigned calls;
    enum store_state state;
    enum store_activation end;
    bool has_tip, unreplicated;
    struct store_version tip;
    char *bytes;
    size_t len;
    struct store_version rows[STORE_VERSIONS_MAX * 2];
    struct store_node nodes[8];
    size_t count;
};

static void heard_tip(void *arg, const struct store_version *tip, bool is_held)
{
    struct heard *heard = arg;

    heard->tips++;
    heard->tip = *tip;
    heard->is_held = is_held;
}

static void heard_staged(void *arg, const char *document)
{
    struct heard *heard = arg;

    heard->staged++;
    (void)snprintf(heard->document, sizeof(heard->document), "%s", document);
}

static void came_staged(void *arg, uint64_t token, enum store_state state)
{
    struct came *came = arg;

    assert_int_equal(token, 5);
    came->calls++;
    came->state = state;
}

static void came_bytes(void *arg, enum store_state state, void *bytes, size_t len)
{
    struct came *came = arg;

    came->calls++;
    came->state = state;
    came->bytes = bytes;
    came->len = len;
}

static void came_end(void *arg, enum store_activation end, enum store_state state,
                     const struct store_version *tip, bool unreplicated)
{
    struct came *came = arg;

    came->calls++;
    came->end = end;
    came->state = state;
    came->has_tip = tip != NULL;
    came->unreplicated = unreplicated;
    if (tip != NULL)
        came->tip = *tip;
}

static void came_rows(void *arg, enum store_state state, const struct store_version *rows,
                      size_t count)
{
    struct came *came = arg;

    came->calls++;
    came->state = state;
    came->count = count;
    for (size_t i = 0; i < count; i++)
        came->rows[i] = rows[i];
}

static void came_nodes(void *arg, enum store_state state, const struct store_node *rows,
                       size_t count)
{
    struct came *came = arg;

    came->calls++;
    came->state = state;
    came->count = count;
    for (size_t i = 0; i < count && i < 8; i++)
        came->nodes[i] = rows[i];
}

static bool has_come(void *arg)
{
    return ((struct came *)arg)->calls > 0;
}

static void wait_for(struct scene *scene, struct came *came)
{
    stage_until(&scene->stage, has_come, came);
    assert_int_equal(came->calls, 1);
}

// ---- what is asked

struct document {
    char name[STORE_DOCUMENT_NAME];
    char *bytes;
    size_t len;
};

// Bytes that differ from piece to piece, so that one in the wrong place is seen.
static struct document document_of(char letter, size_t len)
{
    struct document document = {.bytes = mem_new(len), .len = len};

    for (size_t i = 0; i < len; i++)
        document.bytes[i] = (char)(letter + (char)(i / POLICY_PIECE_BYTES));
    store_document_name(document.bytes, len, document.name);
    return document;
}

static enum store_state stage_document(struct scene *scene, const struct document *document)
{
    struct came came = {.calls = 0};

    store_policy_stage(scene->store, document->name, document->bytes, document->len,
                       stage_done(came_staged, &came, 5));
    wait_for(scene, &came);
    return came.state;
}

// True if what comes is the document; else nothing came.
static bool is_fetched(struct scene *scene, const struct document *document)
{
    struct came came = {.calls = 0};
    bool is_same = false;

    store_policy_fetch(scene->store, document->name,
                       (struct store_document_done){came_bytes, &came});
    wait_for(scene, &came);
    assert_int_equal(came.state, STORE_UP);
    is_same = came.bytes != NULL;
    if (is_same) {
        assert_int_equal(came.len, document->len);
        assert_memory_equal(came.bytes, document->bytes, came.len);
    }
    mem_free(came.bytes);
    return is_same;
}

static struct store_version row_of(uint64_t version, const struct document *document,
                                   const char *by)
{
    struct store_version row = {
        .version = version, .at_ms = 1000 + version, .bytes = document->len, .policies = 3};

    (void)snprintf(row.by, sizeof(row.by), "%s", by);
    (void)snprintf(row.note, sizeof(row.note), "why %s", by);
    (void)snprintf(row.document, sizeof(row.document), "%s", document->name);
    return row;
}

static struct came activate(struct scene *scene, const struct store_version *row)
{
    struct came came = {.calls = 0};

    store_policy_activate(scene->store, row, (struct store_activate_done){came_end, &came});
    wait_for(scene, &came);
    return came;
}

static struct came history(struct scene *scene, uint64_t before, size_t limit)
{
    struct came came = {.calls = 0};

    store_policy_history(scene->store, before, limit,
                         (struct store_history_done){came_rows, &came});
    wait_for(scene, &came);
    assert_int_equal(came.state, STORE_UP);
    return came;
}

static long long life_s(struct scene *scene, const char *kind, const struct document *document)
{
    return stage_number(&scene->stage, "TTL policy:{p}:%s:%s", kind, document->name);
}

// ---- documents

static const struct size_row {
    const char *name;
    size_t len;
    long long fields;
} SIZES[] = {
    {"one byte", 1, 2},
    {"one piece", POLICY_PIECE_BYTES, 2},
    {"one piece and a byte", POLICY_PIECE_BYTES + 1, 3},
    {"three pieces less a byte", POLICY_PIECE_BYTES * 3 - 1, 4},
    {"as large as one may be", STORE_DOCUMENT_BYTES, 65},
};

static void check_size(void **state)
{
    const struct size_row *row = *state;
    struct document document = document_of('a', row->len);
    struct scene scene;

    scene_open(&scene);
    assert_false(is_fetched(&scene, &document));
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    assert_true(is_fetched(&scene, &document));
    assert_int_equal(stage_number(&scene.stage, "HLEN policy:{p}:stage:%s", document.name),
                     row->fields);
    assert_in_range(life_s(&scene, "stage", &document), 3590, 3601);
    assert_int_equal(stage_document(&scene, &document), STORE_UP); // again: only its life is new
    assert_true(is_fetched(&scene, &document));
    scene_close(&scene);
    mem_free(document.bytes);
}

// Whatever of a document is gone or wrong: it is not there.
static const struct torn_row {
    const char *name;
    const char *words;
} TORN[] = {
    {"without its head", "HDEL policy:{p}:stage:%s head"},
    {"without a piece", "HDEL policy:{p}:stage:%s 1"},
    {"a piece too many", "HSET policy:{p}:stage:%s 9 x"},
    {"a piece that is too short", "HSET policy:{p}:stage:%s 0 x"},
    {"its head says more", "HSET policy:{p}:stage:%s head 999999999999"},
    {"its head says nothing", "HSET policy:{p}:stage:%s head 0"},
    {"its head is a word", "HSET policy:{p}:stage:%s head many"},
    {"gone", "DEL policy:{p}:stage:%s"},
};

static void check_torn(void **state)
{
    const struct torn_row *row = *state;
    struct document document = document_of('a', POLICY_PIECE_BYTES + 5);
    struct scene scene;

    scene_open(&scene);
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    stage_do(&scene.stage, row->words, document.name);
    assert_false(is_fetched(&scene, &document));
    struct store_version version = row_of(1, &document, "ann");

    if (strcmp(row->name, "a piece that is too short") != 0) // only reading it tells
        assert_int_equal(activate(&scene, &version).end, STORE_MISSING);
    stage_do(&scene.stage, "DEL policy:{p}:stage:%s", document.name);
    assert_int_equal(stage_document(&scene, &document), STORE_UP); // and staging mends it
    assert_true(is_fetched(&scene, &document));
    scene_close(&scene);
    mem_free(document.bytes);
}

// ---- versions

static void a_version_makes_its_document_stay(void **state)
{
    struct document document = document_of('a', SMALL);
    struct store_version row = row_of(1, &document, "ann");
    struct heard heard = {.tips = 0};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    store_policy_follow(scene.store, (struct store_policy_calls){heard_tip, heard_staged, &heard});
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    struct came came = activate(&scene, &row);

    assert_int_equal(came.end, STORE_ACTIVATED);
    assert_true(came.has_tip);
    assert_false(came.unreplicated);
    assert_int_equal(life_s(&scene, "doc", &document), -1);
    assert_int_equal(life_s(&scene, "stage", &document), -2); // it was renamed
    assert_true(is_fetched(&scene, &document));
    came = history(&scene, 0, 10);
    assert_int_equal(came.count, 1);
    assert_memory_equal(&came.rows[0], &row, sizeof(row));
    came = activate(&scene, &row); // exactly the same once more: it is there already
    assert_int_equal(came.end, STORE_ACTIVATED);
    assert_int_equal(history(&scene, 0, 10).count, 1);
    assert_int_equal(stage_document(&scene, &document), STORE_UP); // it stays where it is
    assert_int_equal(life_s(&scene, "stage", &document), -2);
    assert_int_equal(life_s(&scene, "doc", &document), -1);
    scene_close(&scene);
    mem_free(document.bytes);
}

static void of_two_with_one_number_one_wins(void **state)
{
    struct document one = document_of('a', SMALL);
    struct document two = document_of('k', SMALL);
    struct store_version first = row_of(1, &one, "ann");
    struct store_version second = row_of(1, &two, "bob");
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_document(&scene, &one), STORE_UP);
    assert_int_equal(stage_document(&scene, &two), STORE_UP);
    assert_int_equal(activate(&scene, &first).end, STORE_ACTIVATED);
    struct came came = activate(&scene, &second);

    assert_int_equal(came.end, STORE_OVERTAKEN);
    assert_string_equal(came.tip.by, "ann");
    assert_string_equal(came.tip.document, one.name);
    assert_int_equal(life_s(&scene, "doc", &two), -2); // it stays staged, and goes
    assert_in_range(life_s(&scene, "stage", &two), 3500, 3601);
    second = first; // the same number, and nearly the same words
    second.at_ms++;
    assert_int_equal(activate(&scene, &second).end, STORE_OVERTAKEN);
    second = row_of(2, &two, "bob");
    assert_int_equal(activate(&scene, &second).end, STORE_ACTIVATED);
    assert_int_equal(activate(&scene, &first).end, STORE_OVERTAKEN); // an old one never comes back
    scene_close(&scene);
    mem_free(one.bytes);
    mem_free(two.bytes);
}

static void two_at_once_one_wins(void **state)
{
    struct document one = document_of('a', SMALL);
    struct document two = document_of('k', SMALL);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    stage_until(&scene.stage, admin_is_up, other);
    assert_int_equal(stage_document(&scene, &one), STORE_UP);
    assert_int_equal(stage_document(&scene, &two), STORE_UP);
    for (uint64_t version = 1; version <= 20; version++) {
        struct store_version rows[2] = {row_of(version, &one, "ann"), row_of(version, &two, "bob")};
        struct came came[2] = {{.calls = 0}, {.calls = 0}};

        store_policy_activate(scene.store, &rows[0],
                              (struct store_activate_done){came_end, &came[0]});
        store_policy_activate(other, &rows[1], (struct store_activate_done){came_end, &came[1]});
        wait_for(&scene, &came[0]);
        wait_for(&scene, &came[1]);
        size_t winner = came[0].end == STORE_ACTIVATED ? 0 : 1;

        assert_int_equal(came[winner].end, STORE_ACTIVATED);
        assert_int_equal(came[1 - winner].end, STORE_OVERTAKEN);
        assert_string_equal(came[1 - winner].tip.by, rows[winner].by);
    }
    assert_int_equal(history(&scene, 0, 100).count, 20);
    store_free(&other);
    scene_close(&scene);
    mem_free(one.bytes);
    mem_free(two.bytes);
}

static void a_history_has_pages(void **state)
{
    struct document document = document_of('a', SMALL);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(history(&scene, 0, 10).count, 0);
    assert_int_equal(history(&scene, 1, 10).count, 0);
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    for (uint64_t version = 1; version <= 7; version++) {
        struct store_version row = row_of(version, &document, "ann");

        assert_int_equal(activate(&scene, &row).end, STORE_ACTIVATED);
    }
    struct came came = history(&scene, 0, 3);

    assert_int_equal(came.count, 3);
    assert_int_equal(came.rows[0].version, 7);
    came = history(&scene, 5, 10);
    assert_int_equal(came.count, 4);
    assert_int_equal(came.rows[0].version, 4);
    assert_int_equal(came.rows[3].version, 1);
    stage_do(&scene.stage, "XADD policy:{p} 8-0 at 5 document %s",
             document.name); // of a later release
    stage_do(&scene.stage, "XADD policy:{p} 9-1 a b");
    assert_int_equal(history(&scene, 0, 10).count, 7); // what is not understood is left out
    scene_close(&scene);
    mem_free(document.bytes);
}

// ---- what is too much

static bool has_versions(void *arg)
{
    struct scene *scene = arg;

    return stage_number(&scene->stage, "XLEN policy:{p}") == STORE_VERSIONS_MAX;
}

static void a_hundred_versions_stay(void **state)
{
    struct document common = document_of('a', SMALL);
    struct document first = document_of('k', SMALL);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_document(&scene, &common), STORE_UP);
    assert_int_equal(stage_document(&scene, &first), STORE_UP);
    for (uint64_t version = 1; version <= STORE_VERSIONS_MAX + 2; version++) {
        struct store_version row = row_of(version, version == 1 ? &first : &common, "ann");

        assert_int_equal(activate(&scene, &row).end, STORE_ACTIVATED);
    }
    stage_until(&scene.stage, has_versions, &scene);
    assert_int_equal(life_s(&scene, "doc", &first), -2); // nobody names it any more
    assert_int_equal(life_s(&scene, "doc", &common), -1);
    struct came came = history(&scene, 0, 200);

    assert_int_equal(came.count, STORE_VERSIONS_MAX);
    assert_int_equal(came.rows[STORE_VERSIONS_MAX - 1].version, 3);
    scene_close(&scene);
    mem_free(common.bytes);
    mem_free(first.bytes);
}

static void so_do_64_mib(void **state)
{
    struct document document[6];
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (uint64_t i = 0; i < 6; i++) {
        document[i] = document_of((char)('a' + i), SMALL + i);
        assert_int_equal(stage_document(&scene, &document[i]), STORE_UP);
        struct store_version row = row_of(i + 1, &document[i], "ann");

        row.bytes = STORE_DOCUMENT_BYTES; // it says so
        assert_int_equal(activate(&scene, &row).end, STORE_ACTIVATED);
    }
    // Four of 16 MiB are 64 MiB.
    struct came came = {.count = 0};

    for (unsigned i = 0; i < 1000 && came.count != 4; i++)
        came = history(&scene, 0, 200);
    assert_int_equal(came.count, 4);
    assert_int_equal(life_s(&scene, "doc", &document[1]), -2);
    assert_int_equal(life_s(&scene, "doc", &document[2]), -1);
    scene_close(&scene);
    for (size_t i = 0; i < 6; i++)
        mem_free(document[i].bytes);
}

// ---- what others hear

static bool hears_staged(void *arg)
{
    return ((struct heard *)arg)->staged > 0;
}

static bool hears_version_2(void *arg)
{
    return ((struct heard *)arg)->tip.version == 2;
}

static bool hears_tip(void *arg)
{
    return ((struct heard *)arg)->tips > 0;
}

static void everybody_hears_of_it_within_a_second(void **state)
{
    struct document document = document_of('a', POLICY_PIECE_BYTES * 2);
    struct heard heard = {.tips = 0};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    store_policy_follow(other, (struct store_policy_calls){heard_tip, heard_staged, &heard});
    stage_until(&scene.stage, follows_events, other);
    stage_until(&scene.stage, hears_tip, &heard); // that there is none
    assert_int_equal(heard.tip.version, 0);
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    assert_true(stage_within(&scene.stage, 1000, hears_staged, &heard));
    assert_string_equal(heard.document, document.name);
    for (uint64_t version = 1; version <= 2; version++) {
        struct store_version row = row_of(version, &document, "ann");

        assert_int_equal(activate(&scene, &row).end, STORE_ACTIVATED);
    }
    assert_true(stage_within(&scene.stage, 1000, hears_version_2, &heard));
    assert_true(heard.is_held);
    // A new connection looks at once; and a document that is gone is missed.
    stage_do(&scene.stage, "DEL policy:{p}:doc:%s", document.name);
    heard = (struct heard){.tips = 0};
    stage_do(&scene.stage, "CLIENT KILL TYPE normal SKIPME yes");
    stage_until(&scene.stage, hears_tip, &heard);
    assert_int_equal(heard.tip.version, 2);
    assert_false(heard.is_held);
    store_free(&other);
    scene_close(&scene);
    mem_free(document.bytes);
}

// ---- trouble

static void a_store_that_is_away_says_so_once(void **state)
{
    struct document document = document_of('a', SMALL);
    struct store_version row = row_of(1, &document, "ann");
    struct came came[4] = {{.calls = 0}};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_equal(stage_document(&scene, &document), STORE_DOWN);
    struct came ended = activate(&scene, &row);

    assert_int_equal(ended.end, STORE_FAILED);
    assert_int_equal(ended.state, STORE_DOWN);
    stage_redis(&scene.stage, NULL); // stopped, it is waited for; then the store is freed
    stage_until(&scene.stage, admin_is_up, scene.store);
    (void)kill(scene.stage.server, SIGSTOP);
    store_policy_stage(scene.store, document.name, document.bytes, document.len,
                       stage_done(came_staged, &came[0], 5));
    store_policy_fetch(scene.store, document.name,
                       (struct store_document_done){came_bytes, &came[1]});
    store_policy_history(scene.store, 0, 5, (struct store_history_done){came_rows, &came[2]});
    store_policy_nodes(scene.store, (struct store_nodes_done){came_nodes, &came[3]});
    stage_run(&scene.stage, 300); // longer than one answer may take
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(came[i].calls, 0);
    store_free(&scene.store);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(came[i].calls, 1);
        assert_int_equal(came[i].state, STORE_DOWN);
    }
    scene_close(&scene);
    mem_free(document.bytes);
}

static void a_slow_store_is_waited_for(void **state)
{
    struct document document = document_of('a', POLICY_PIECE_BYTES * 3);
    struct came came = {.calls = 0};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    (void)kill(scene.stage.server, SIGSTOP);
    store_policy_stage(scene.store, document.name, document.bytes, document.len,
                       stage_done(came_staged, &came, 5));
    stage_run(&scene.stage, 400); // shorter than what makes a connection dead
    assert_int_equal(came.calls, 0);
    (void)kill(scene.stage.server, SIGCONT);
    wait_for(&scene, &came);
    assert_int_equal(came.state, STORE_UP);
    assert_true(is_fetched(&scene, &document));
    scene_close(&scene);
    mem_free(document.bytes);
}

static void a_full_or_read_only_store_takes_nothing(void **state)
{
    struct document document = document_of('a', POLICY_PIECE_BYTES);
    struct document other = document_of('k', POLICY_PIECE_BYTES);
    struct store_version row = row_of(1, &document, "ann");
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    assert_int_equal(stage_document(&scene, &other), STORE_FULL);
    struct came came = activate(&scene, &row);

    assert_int_equal(came.end, STORE_FAILED);
    assert_int_equal(came.state, STORE_FULL);
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    stage_do(&scene.stage, "SET policy:{p} word");
    came = activate(&scene, &row);
    assert_int_equal(came.end, STORE_FAILED);
    assert_int_equal(came.state, STORE_ERROR);
    scene_close(&scene);
    mem_free(document.bytes);
    mem_free(other.bytes);
}

static void where_there_are_replicas_one_is_waited_for(void **state)
{
    struct document document = document_of('a', SMALL);
    struct store_version row = row_of(1, &document, "ann");
    struct scene scene;
    struct stage second;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char port[8];

    assert_int_equal(bind(probe, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &size), 0);
    (void)close(probe);
    (void)snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
    stage_redis(&scene.stage, "--port", port, "--bind", "127.0.0.1", "--repl-diskless-sync-delay",
                "0", NULL);
    scene_begin(&scene);
    stage_open(&second);
    stage_redis(&second, "--replicaof", "127.0.0.1", port, NULL);
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    for (unsigned i = 0; i < 2000; i++) { // until it is one
        redisReply *reply = stage_ask(&scene.stage, "WAIT 1 5");
        bool is_there = reply->integer == 1;

        freeReplyObject(reply);
        if (is_there)
            break;
    }
    struct came came = activate(&scene, &row);

    assert_int_equal(came.end, STORE_ACTIVATED);
    assert_false(came.unreplicated);
    (void)kill(second.server, SIGSTOP); // it is there and tells nothing
    row = row_of(2, &document, "ann");
    came = activate(&scene, &row);
    assert_int_equal(came.end, STORE_ACTIVATED);
    assert_true(came.unreplicated);
    stage_close(&second);
    scene_close(&scene);
    mem_free(document.bytes);
}

// ---- nodes

static struct came nodes(struct scene *scene)
{
    struct came came = {.calls = 0};

    store_policy_nodes(scene->store, (struct store_nodes_done){came_nodes, &came});
    wait_for(scene, &came);
    assert_int_equal(came.state, STORE_UP);
    return came;
}

static void nodes_say_what_they_have(void **state)
{
    struct document document = document_of('a', SMALL);
    struct store_node mine = {.name = "b node", .version = 7, .error = "no: a b"};
    struct scene scene;

    (void)state;
    (void)snprintf(mine.state, sizeof(mine.state), "in force");
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    stage_until(&scene.stage, admin_is_up, other);
    assert_int_equal(nodes(&scene).count, 0);
    (void)snprintf(mine.document, sizeof(mine.document), "%s", document.name);
    memcpy(mine.ready[0], document.name, sizeof(document.name));
    memcpy(mine.ready[2], document.name, sizeof(document.name));
    store_policy_beat(scene.store, &mine);
    store_policy_beat(other, &(struct store_node){.name = "a", .state = "files"});
    settle(&scene);
    struct came came = {.count = 0};

    for (unsigned i = 0; i < 1000 && came.count != 2; i++)
        came = nodes(&scene);
    assert_int_equal(came.count, 2);
    assert_string_equal(came.nodes[0].name, "a");
    assert_string_equal(came.nodes[0].document, "");
    assert_string_equal(came.nodes[0].error, "");
    assert_string_equal(came.nodes[1].state, "in force");
    assert_string_equal(came.nodes[1].name, "b node");
    assert_int_equal(came.nodes[1].version, 7);
    assert_string_equal(came.nodes[1].document, document.name);
    assert_string_equal(came.nodes[1].ready[1], document.name); // gaps are closed
    assert_string_equal(came.nodes[1].ready[2], "");
    assert_string_equal(came.nodes[1].error, "no: a b");
    assert_true(came.nodes[1].seen_ms > 0);
    // One that has not been seen for two minutes is not living; nor is what is no row.
    stage_do(&scene.stage, "HSET nodes:{p} %s %s", "12345678 old", "1000 1 - files -");
    stage_do(&scene.stage, "HSET nodes:{p} %s %s", "zz", "nonsense");
    assert_int_equal(nodes(&scene).count, 2);
    for (unsigned i = 0; i < 1000 && stage_number(&scene.stage, "HLEN nodes:{p}") > 2; i++)
        settle(&scene);
    assert_int_equal(stage_number(&scene.stage, "HLEN nodes:{p}"), 2); // and both are gone
    assert_in_range(stage_number(&scene.stage, "TTL nodes:{p}"), 86000, 86401);
    store_policy_leave(other);
    for (unsigned i = 0; i < 1000 && came.count != 1; i++)
        came = nodes(&scene);
    assert_int_equal(came.count, 1);
    store_free(&other);
    scene_close(&scene);
    mem_free(document.bytes);
}

// ---- rows, read

static const struct node_row {
    const char *name;
    const char *field, *value;
    bool is_row;
} NODE_ROWS[] = {
    {"the least", "00000000 n", "1 0 - files -", true},
    {"a state of two words", "00000000 n", "1 7 - in_force -", true},
    {"with an error", "00000000 n", "1 0 - files - a b c", true},
    {"no name", "00000000 ", "1 0 - files -", false},
    {"no number", "n", "1 0 - files -", false},
    {"a number of other digits", "0000000G n", "1 0 - files -", false},
    {"a word too few", "00000000 n", "1 0 - files", false},
    {"nothing", "00000000 n", "", false},
    {"seen at a word", "00000000 n", "x 0 - files -", false},
    {"a version of a word", "00000000 n", "1 v - files -", false},
    {"a version that is too high", "00000000 n", "1 9007199254740992 - files -", false},
    {"the highest version", "00000000 n", "1 9007199254740991 - files -", true},
    {"a document that is none", "00000000 n", "1 0 abc files -", false},
    {"a document", "00000000 n", "1 0 0123456789abcdef0123456789abcdef files -", true},
    {"a document in capitals", "00000000 n", "1 0 0123456789ABCDEF0123456789abcdef files -", false},
    {"a state that is too long", "00000000 n", "1 0 - filesfilesfilesf -", false},
    {"ready: no document", "00000000 n", "1 0 - files x,y", false},
    {"ready: too many", "00000000 n",
     "1 0 - files "
     "0123456789abcdef0123456789abcdef,0123456789abcdef0123456789abcdef,"
     "0123456789abcdef0123456789abcdef,0123456789abcdef0123456789abcdef,"
     "0123456789abcdef0123456789abcdef",
     false},
    {"a control character", "00000000 n", "1 0 - files - \x1b[2J", false},
    {"no UTF-8", "00000000 n\xff", "1 0 - files -", false},
};

static void check_node_row(void **state)
{
    const struct node_row *row = *state;
    union {
        const char *given;
        char *text;
    } field = {.given = row->field}, value = {.given = row->value};
    redisReply replies[2] = {
        {.type = REDIS_REPLY_STRING, .str = field.text, .len = strlen(row->field)},
        {.type = REDIS_REPLY_STRING, .str = value.text, .len = strlen(row->value)}};
    struct store_node node;
    char again[POLICY_NODE_VALUE_MAX];

    assert_int_equal(policy_node_read(&replies[0], &replies[1], &node), row->is_row);
    if (!row->is_row)
        return;
    policy_node_format(&node, again);
    replies[1].str = again;
    replies[1].len = strlen(again);
    struct store_node back;

    assert_true(policy_node_read(&replies[0], &replies[1], &back));
    assert_memory_equal(&back, &node, sizeof(node));
}

static const struct version_row {
    const char *name;
    const char *id, *field, *value; // of a good row, one field is this instead
    bool is_row;
} VERSION_ROWS[] = {
    {"a good one", "1-0", NULL, NULL, true},
    {"the highest", "9007199254740991-0", NULL, NULL, true},
    {"one higher", "9007199254740992-0", NULL, NULL, false},
    {"none", "0-0", NULL, NULL, false},
    {"another sequence", "1-1", NULL, NULL, false},
    {"no number", "x-0", NULL, NULL, false},
    {"an id that is too long", "111111111111111111111111111111-0", NULL, NULL, false},
    {"no id", "", NULL, NULL, false},
    {"at a word", "1-0", "at", "now", false},
    {"no document", "1-0", "document", "", false},
    {"bytes beyond the bound", "1-0", "bytes", "16777217", false},
    {"bytes at the bound", "1-0", "bytes", "16777216", true},
    {"by with a line end", "1-0", "by", "a\nb", false},
    {"a note that is no UTF-8", "1-0", "note", "a\xff", false},
};

static void check_version_row(void **state)
{
    const struct version_row *row = *state;
    const char *words[] = {"at",       "5", "by",       "ann",
                           "note",     "n", "document", "0123456789abcdef0123456789abcdef",
                           "bytes",    "3", "hash",     "4",
                           "policies", "2"};
    redisReply cells[14];
    redisReply *cell_at[14];
    union {
        const char *given;
        char *text;
    } text;

    for (size_t i = 0; i < 14; i++) {
        bool is_instead = row->field != NULL && i % 2 == 1 && strcmp(words[i - 1], row->field) == 0;

        text.given = is_instead ? row->value : words[i];
        cells[i] =
            (redisReply){.type = REDIS_REPLY_STRING, .str = text.text, .len = strlen(text.text)};
        cell_at[i] = &cells[i];
    }
    text.given = row->id;
    redisReply fields = {.type = REDIS_REPLY_ARRAY, .elements = 14, .element = cell_at};
    redisReply id = {.type = REDIS_REPLY_STRING, .str = text.text, .len = strlen(row->id)};
    redisReply *parts[] = {&id, &fields};
    redisReply whole = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = parts};
    struct store_version version;

    assert_int_equal(policy_row_read(&whole, &version), row->is_row);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, NODE_ROWS, check_node_row);
    TABLE_ROWS(&table, VERSION_ROWS, check_version_row);
    TABLE_ROWS(&table, SIZES, check_size);
    TABLE_ROWS(&table, TORN, check_torn);
    TABLE_TEST(&table, a_version_makes_its_document_stay);
    TABLE_TEST(&table, of_two_with_one_number_one_wins);
    TABLE_TEST(&table, two_at_once_one_wins);
    TABLE_TEST(&table, a_history_has_pages);
    TABLE_TEST(&table, a_hundred_versions_stay);
    TABLE_TEST(&table, so_do_64_mib);
    TABLE_TEST(&table, everybody_hears_of_it_within_a_second);
    TABLE_TEST(&table, a_store_that_is_away_says_so_once);
    TABLE_TEST(&table, a_slow_store_is_waited_for);
    TABLE_TEST(&table, a_full_or_read_only_store_takes_nothing);
    TABLE_TEST(&table, where_there_are_replicas_one_is_waited_for);
    TABLE_TEST(&table, nodes_say_what_they_have);
    return table_run(&table, "store_policy");
}
