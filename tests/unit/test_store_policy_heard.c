// The policy set in a real Redis: what other nodes hear of it, a store in trouble or with replicas, which node has which
// version, and the rows that are believed.
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
#include "tests/support/policy_scene.h"
#include "tests/support/table.h"

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
    TABLE_TEST(&table, everybody_hears_of_it_within_a_second);
    TABLE_TEST(&table, a_store_that_is_away_says_so_once);
    TABLE_TEST(&table, a_slow_store_is_waited_for);
    TABLE_TEST(&table, a_full_or_read_only_store_takes_nothing);
    TABLE_TEST(&table, where_there_are_replicas_one_is_waited_for);
    TABLE_TEST(&table, nodes_say_what_they_have);
    return table_run(&table, "store_policy_heard");
}
