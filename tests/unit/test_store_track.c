// Tracking rows against a real redis-server: written, found by ticket and by what they hold, newest
// first over all nodes and days, page by page with a cursor that neither repeats nor loses a row.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/inside.h"
#include "node/store/track.h"
#include "tests/support/redis_stage.h"
#include "tests/support/table.h"

enum { NODES = 3, ROWS_MAX = 4000 };

struct scene {
    struct stage stage;
    struct store *store[NODES];
    struct ticket written[ROWS_MAX]; // in the order of writing
    size_t count;
};

static bool all_are_up(void *arg)
{
    struct scene *scene = arg;

    for (unsigned i = 0; i < NODES; i++) {
        if (redis_state(scene->store[i]->lane[STORE_LOOKUPS]) != STORE_UP ||
            redis_state(scene->store[i]->lane[STORE_ADMIN]) != STORE_UP)
            return false;
    }
    return true;
}

static void scene_open(struct scene *scene, bool replay)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    stage_redis(&scene->stage, NULL);
    scene->stage.config.replay = replay;
    for (unsigned i = 0; i < NODES; i++)
        scene->store[i] = stage_store(&scene->stage, &scene->stage.config);
    stage_until(&scene->stage, all_are_up, scene);
}

static void scene_close(struct scene *scene)
{
    for (unsigned i = 0; i < NODES; i++)
        store_free(&scene->store[i]);
    stage_close(&scene->stage);
}

static bool nothing_is_under_way(void *arg)
{
    struct scene *scene = arg;

    for (unsigned i = 0; i < NODES; i++) {
        if (!redis_has_room(scene->store[i]->lane[STORE_LOOKUPS], REDIS_IN_FLIGHT_MAX))
            return false;
    }
    return true;
}

static void settle(struct scene *scene)
{
    stage_until(&scene->stage, nothing_is_under_way, scene);
}

static struct track_row row_of(const char *sender, const char *recipient, const char *client_ip,
                               const char *reason)
{
    return (struct track_row){.action = "defer",
                              .reason = reason,
                              .rule = "",
                              .shadow = "",
                              .stage = "rcpt",
                              .client_ip = client_ip,
                              .client_name = "mx.sender.example",
                              .spf_domain = "",
                              .helo = "mx",
                              .sender = sender,
                              .recipient = recipient,
                              .gateway = "mx1",
                              .transaction = "q1",
                              .auth_user = "ann@b.example",
                              .spf = "softfail",
                              .retry_after_s = 60,
                              .waited_s = 5,
                              .flags = TRACK_TLS | TRACK_SMTPUTF8,
                              .size_bytes = 1ULL << 40,
                              .recipient_count = 7,
                              .policy_version = (1ULL << 53) - 1};
}

static struct ticket write_row(struct scene *scene, unsigned node, uint64_t at_ms,
                               struct track_row row)
{
    row.ticket = ticket_next(scene->store[node], at_ms);
    row.at_ms = at_ms;
    store_track(scene->store[node], &row);
    assert_true(scene->count < ROWS_MAX);
    scene->written[scene->count++] = row.ticket;
    if (scene->count % 500 == 0)
        settle(scene); // within the bound of what may be in flight
    return row.ticket;
}

// ---- the stream's expiry

static const uint64_t EXPIRY_AT_MS = 1800000000000; // in the middle of a day

// Without the questions for events, which go on all the time.
static uint64_t commands_so_far(const struct scene *scene)
{
    const struct store_counters *counters = store_counters(scene->store[0]);

    return counters->commands - counters->event_polls;
}

static long long commands_for_a_row(struct scene *scene, uint64_t at_ms)
{
    uint64_t before = commands_so_far(scene);

    (void)write_row(scene, 0, at_ms, row_of("a@b.example", "c@d.example", "192.0.2.1", "x"));
    settle(scene);
    return (long long)(commands_so_far(scene) - before);
}

// A row that went out within the second of the one before; the machine may have been too busy.
static long long commands_for_a_quick_row(struct scene *scene, uint64_t at_ms)
{
    long long commands = 0;
    uint64_t kept_at_ms;

    do {
        kept_at_ms = scene->store[0]->kept_at_ms;
        commands = commands_for_a_row(scene, at_ms);
    } while (scene->store[0]->kept_at_ms != kept_at_ms);
    return commands;
}

static long long expiry_of_stream(struct scene *scene, uint64_t at_ms)
{
    char name[TRACK_NAME_MAX];

    track_name(scene->store[0]->node, at_ms / TRACK_DAY_MS, name);
    return stage_number(&scene->stage, "EXPIRETIME %s", name);
}

static void the_expiry_goes_with_one_row_a_second(void **state)
{
    const long long wanted = (long long)((EXPIRY_AT_MS / TRACK_DAY_MS + 8) * TRACK_DAY_MS / 1000);
    struct scene scene;

    (void)state;
    scene_open(&scene, false);
    assert_int_equal(commands_for_a_row(&scene, EXPIRY_AT_MS),
                     4); // the index and its, the row and its
    assert_int_equal(expiry_of_stream(&scene, EXPIRY_AT_MS), wanted);
    assert_int_equal(commands_for_a_quick_row(&scene, EXPIRY_AT_MS + 1), 1);
    scene.store[0]->kept_at_ms -= 999; // as if that long had gone by
    stage_do(&scene.stage, "FLUSHALL");
    scene.store[0]->kept_at_ms -= 1;
    assert_int_equal(commands_for_a_row(&scene, EXPIRY_AT_MS + 2), 2);
    assert_int_equal(expiry_of_stream(&scene, EXPIRY_AT_MS), wanted); // it heals itself
    scene_close(&scene);
}

static void a_new_day_has_an_expiry_of_its_own(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, false);
    assert_int_equal(commands_for_a_row(&scene, EXPIRY_AT_MS), 4);
    assert_int_equal(commands_for_a_row(&scene, EXPIRY_AT_MS + TRACK_DAY_MS), 4);
    assert_true(expiry_of_stream(&scene, EXPIRY_AT_MS + TRACK_DAY_MS) >
                expiry_of_stream(&scene, EXPIRY_AT_MS));
    scene_close(&scene);
}

static void a_row_that_was_refused_has_its_expiry_said_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, false);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    (void)commands_for_a_row(&scene, EXPIRY_AT_MS);
    assert_int_equal(expiry_of_stream(&scene, EXPIRY_AT_MS), -2); // there is no stream
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    (void)commands_for_a_row(&scene, EXPIRY_AT_MS + 1); // at once, not a second later
    assert_true(expiry_of_stream(&scene, EXPIRY_AT_MS) > 0);
    scene_close(&scene);
}

static bool both_connections_are_new(void *arg)
{
    return store_counters(((struct scene *)arg)->store[0])->connects == 2 * STORE_LANES;
}

static void a_new_connection_says_the_expiry_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, false);
    (void)commands_for_a_row(&scene, EXPIRY_AT_MS);
    assert_true(scene.store[0]->kept_day > 0);
    stage_do(&scene.stage, "CLIENT KILL TYPE normal SKIPME yes");
    stage_until(&scene.stage, both_connections_are_new, &scene);
    assert_int_equal(scene.store[0]->kept_day, 0);
    scene_close(&scene);
}

// ---- what is found, kept

enum { KEPT_MAX = 600 };

struct found {
    unsigned calls;
    enum store_state state;
    size_t count;
    struct ticket ticket[KEPT_MAX];
    char sender[KEPT_MAX][64];
    char cursor[TICKET_TEXT_MAX];
    struct track_row first; // numbers alone
    char text[200];         // of the first
};

static void keep(void *arg, enum store_state state, const struct track_row *rows, size_t count,
                 const char *cursor)
{
    struct found *found = arg;

    found->calls++;
    found->state = state;
    found->count = count;
    assert_true(count <= KEPT_MAX);
    (void)snprintf(found->cursor, sizeof(found->cursor), "%s", cursor);
    for (size_t i = 0; i < count; i++) {
        found->ticket[i] = rows[i].ticket;
        (void)snprintf(found->sender[i], sizeof(found->sender[i]), "%s", rows[i].sender);
    }
    if (count == 0)
        return;
    found->first = rows[0];
    (void)snprintf(found->text, sizeof(found->text), "%s %s %s %s %s %s %s %s %s", rows[0].action,
                   rows[0].reason, rows[0].stage, rows[0].client_ip, rows[0].client_name,
                   rows[0].helo, rows[0].recipient, rows[0].gateway, rows[0].transaction);
}

static bool is_called(void *arg)
{
    return ((struct found *)arg)->calls > 0;
}

static const struct track_query ANY = {
    .sender = "", .recipient = "", .client_ip = "", .reason = "", .cursor = "", .limit = 100};

static void find(struct scene *scene, struct track_query query, struct found *found)
{
    char sender[64];

    memset(found, 0, sizeof(*found));
    (void)snprintf(sender, sizeof(sender), "%s", query.sender);
    query.sender = sender;
    store_track_find(scene->store[0], &query, (struct track_done){keep, found});
    memset(sender, 'x', sizeof(sender) - 1); // the query is the caller's again
    stage_until(&scene->stage, is_called, found);
    assert_int_equal(found->calls, 1);
}

// ---- tests

static void a_row_is_found_by_its_ticket(void **state)
{
    static struct found found;
    struct scene scene;
    struct track_query query = ANY;

    (void)state;
    scene_open(&scene, false);
    uint64_t now_ms = store_now_ms(scene.store[0]);
    struct ticket ticket =
        write_row(&scene, 1, now_ms,
                  row_of("ann@sender.example", "bob@corp.example", "192.0.2.1", "greylist_new"));

    (void)write_row(&scene, 1, now_ms,
                    row_of("eve@sender.example", "bob@corp.example", "192.0.2.2", "syntax"));
    settle(&scene);
    query.by_ticket = true;
    query.ticket = ticket;
    find(&scene, query, &found);
    assert_int_equal(found.state, STORE_UP);
    assert_int_equal(found.count, 1);
    assert_int_equal(track_order(&found.ticket[0], &ticket), 0);
    assert_string_equal(found.sender[0], "ann@sender.example");
    assert_string_equal(
        found.text,
        "defer greylist_new rcpt 192.0.2.1 mx.sender.example mx bob@corp.example mx1 q1");
    assert_int_equal(found.first.at_ms, now_ms);
    assert_int_equal(found.first.retry_after_s, 60);
    assert_int_equal(found.first.waited_s, 5);
    assert_int_equal(found.first.flags, TRACK_TLS | TRACK_SMTPUTF8);
    assert_int_equal(found.first.size_bytes, 1ULL << 40);
    assert_int_equal(found.first.recipient_count, 7);
    assert_int_equal(found.first.policy_version, (1ULL << 53) - 1);
    assert_string_equal(found.cursor, "");
    query.ticket.seq += 5;
    find(&scene, query, &found);
    assert_int_equal(found.state, STORE_UP);
    assert_int_equal(found.count, 0);
    scene_close(&scene);
}

static const struct which_row {
    const char *name;
    const char *sender, *recipient, *client_ip, *reason;
    size_t count;
} WHICH[] = {
    {"all", "", "", "", "", 4},
    {"a sender", "ann@sender.example", "", "", "", 2},
    {"a domain", "sender.example", "", "", "", 3},
    {"a recipient", "", "bob@corp.example", "", "", 3},
    {"a network", "", "", "192.0.2.0/24", "", 2},
    {"an IPv6 network", "", "", "2001:db8::/32", "", 1},
    {"a reason", "", "", "", "greylist_new", 2},
    {"several", "sender.example", "bob@corp.example", "192.0.2.0/24", "greylist_new", 1},
    {"nobody", "nobody@sender.example", "", "", "", 0},
    {"no network at all", "", "", "x", "", 0},
};

static void check_which(void **state)
{
    static struct found found;
    const struct which_row *which = *state;
    struct scene scene;
    struct track_query query = ANY;

    scene_open(&scene, false);
    uint64_t now_ms = store_now_ms(scene.store[0]);

    (void)write_row(&scene, 0, now_ms,
                    row_of("ann@sender.example", "bob@corp.example", "192.0.2.1", "greylist_new"));
    (void)write_row(
        &scene, 1, now_ms,
        row_of("eve@sender.example", "bob@corp.example", "192.0.2.9", "greylist_early"));
    (void)write_row(
        &scene, 2, now_ms,
        row_of("Ann@Sender.example", "joe@corp.example", "198.51.100.1", "greylist_new"));
    (void)write_row(&scene, 0, now_ms, row_of("", "bob@corp.example", "2001:db8::1", "syntax"));
    settle(&scene);
    query.sender = which->sender;
    query.recipient = which->recipient;
    query.client_ip = which->client_ip;
    query.reason = which->reason;
    find(&scene, query, &found);
    assert_int_equal(found.state, STORE_UP);
    assert_int_equal(found.count, which->count);
    assert_string_equal(found.cursor, "");
    scene_close(&scene);
}

static int newest_first(const void *a, const void *b)
{
    return -track_order(a, b);
}

static void write_late_row(struct scene *scene, unsigned node)
{
    struct track_row row =
        row_of("late@sender.example", "bob@corp.example", "192.0.2.1", "greylist_new");

    row.ticket = ticket_next(scene->store[node], store_now_ms(scene->store[0]));
    store_track(scene->store[node], &row);
}

// Reads everything in pages: each row once, newest first, whatever the size of the pages. What is
// written meanwhile is newer than the cursor and does not disturb it.
static void read_all(struct scene *scene, struct track_query query)
{
    static struct found found;
    char cursor[TICKET_TEXT_MAX] = "";
    size_t at = 0;
    unsigned pages = 0;

    qsort(scene->written, scene->count, sizeof(scene->written[0]), newest_first);
    query.cursor = cursor;
    do {
        find(scene, query, &found);
        assert_int_equal(found.state, STORE_UP);
        for (size_t i = 0; i < found.count; i++, at++) {
            assert_true(at < scene->count);
            assert_int_equal(track_order(&found.ticket[i], &scene->written[at]), 0);
        }
        memcpy(cursor, found.cursor, sizeof(cursor));
        assert_true(++pages < 2000);
        write_late_row(scene, pages % NODES);
    } while (cursor[0] != '\0');
    while (at < scene->count && scene->written[at].at_ms < query.since_ms)
        at++;
    assert_int_equal(at, scene->count);
}

static const struct pages_row {
    const char *name;
    unsigned rows;
    size_t limit;
    uint64_t apart_ms; // between rows
    unsigned since;    // rows left out at the old end
} PAGES[] = {
    {"one row a page", 40, 1, 1000, 0},
    {"seven rows a page", 200, 7, 1000, 0},
    {"everything at once", 300, 600, 1000, 0},
    {"more than a page of redis", 2500, 500, 10, 0},
    {"all in one millisecond", 900, 50, 0, 0},
    {"over days", 120, 9, 4000000, 0},
    {"since a moment", 200, 7, 1000, 50},
    {"since a moment some days ago", 120, 9, 4000000, 60},
};

static void check_pages(void **state)
{
    const struct pages_row *row = *state;
    struct scene *scene = mem_new(sizeof(*scene));
    struct track_query query = ANY;

    scene_open(scene, false);
    uint64_t start_ms = store_now_ms(scene->store[0]) - 10000 - row->rows * row->apart_ms;

    for (unsigned i = 0; i < row->rows; i++)
        (void)write_row(
            scene, (i * i + i / 7) % NODES, start_ms + i * row->apart_ms,
            row_of("ann@sender.example", "bob@corp.example", "192.0.2.1", "greylist_new"));
    settle(scene);
    if (row->since > 0)
        query.since_ms = start_ms + row->since * row->apart_ms;
    query.limit = row->limit;
    query.sender = "ann@sender.example";
    read_all(scene, query);
    scene_close(scene);
    mem_free(scene);
}

static void a_rare_row_in_many_is_found(void **state)
{
    static struct found found;
    struct scene *scene = mem_new(sizeof(*scene));
    struct track_query query = ANY;

    (void)state;
    scene_open(scene, false);
    uint64_t start_ms = store_now_ms(scene->store[0]) - 10000;

    (void)write_row(scene, 2, start_ms,
                    row_of("rare@sender.example", "b@corp.example", "192.0.2.1", "syntax"));
    for (unsigned i = 0; i < 3000; i++)
        (void)write_row(scene, i % NODES, start_ms + i,
                        row_of("x@other.example", "b@corp.example", "192.0.2.1", "r"));
    settle(scene);
    query.sender = "rare@sender.example";
    find(scene, query, &found);
    while (found.count == 0 && found.cursor[0] != '\0') { // a page may be empty and go on
        char cursor[TICKET_TEXT_MAX];

        memcpy(cursor, found.cursor, sizeof(cursor));
        query.cursor = cursor;
        find(scene, query, &found);
    }
    assert_int_equal(found.count, 1);
    scene_close(scene);
    mem_free(scene);
}

static void a_cursor_that_is_none_is_an_error(void **state)
{
    static struct found found;
    struct scene scene;
    struct track_query query = ANY;

    (void)state;
    scene_open(&scene, false);
    query.cursor = "yesterday";
    find(&scene, query, &found);
    assert_int_equal(found.state, STORE_ERROR);
    assert_int_equal(found.count, 0);
    scene_close(&scene);
}

static void rows_and_their_index_expire(void **state)
{
    struct scene scene;
    char name[TRACK_NAME_MAX];

    (void)state;
    scene_open(&scene, false);
    uint64_t now_ms = store_now_ms(scene.store[0]);
    uint64_t day = now_ms / TRACK_DAY_MS;
    struct ticket ticket =
        write_row(&scene, 0, now_ms, row_of("a@b.example", "c@d.example", "", "r"));

    (void)write_row(&scene, 0, now_ms, row_of("a@b.example", "c@d.example", "", "r"));
    settle(&scene);
    long long gone_s = (long long)((day + 1) * 86400 + 7 * 86400);

    track_name(ticket.node, day, name);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME %s", name), gone_s);
    assert_int_equal(stage_number(&scene.stage, "XLEN %s", name), 2);
    track_index_name(day, name);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME %s", name), gone_s);
    assert_int_equal(stage_number(&scene.stage, "SCARD %s", name), 1);
    scene_close(&scene);
}

static void the_index_is_mended_after_an_outage(void **state)
{
    static struct found found;
    struct scene scene;

    (void)state;
    scene_open(&scene, false);
    uint64_t now_ms = store_now_ms(scene.store[0]);

    (void)write_row(&scene, 0, now_ms, row_of("a@b.example", "c@d.example", "", "r"));
    settle(&scene);
    stage_do(&scene.stage, "FLUSHALL");
    stage_do(&scene.stage, "CLIENT KILL TYPE normal SKIPME yes");
    stage_until_state(&scene.stage, scene.store[0], STORE_DOWN);
    stage_until(&scene.stage, all_are_up, &scene);
    (void)write_row(&scene, 0, now_ms + 1, row_of("a@b.example", "c@d.example", "", "r"));
    settle(&scene);
    find(&scene, ANY, &found);
    assert_int_equal(found.count, 1);
    scene_close(&scene);
}

static void replayed_rows_are_kept_for_ever(void **state)
{
    static struct found found;
    struct scene scene;
    char name[TRACK_NAME_MAX];
    const uint64_t then_ms = 1700000000000;

    (void)state;
    scene_open(&scene, true);
    store_replay(scene.store[0], then_ms + 20 * TRACK_DAY_MS);
    struct ticket ticket =
        write_row(&scene, 0, then_ms, row_of("a@b.example", "c@d.example", "", "r"));

    settle(&scene);
    track_name(ticket.node, then_ms / TRACK_DAY_MS, name);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME %s", name), -1);
    find(&scene, ANY, &found);
    assert_int_equal(found.count, 1);
    scene_close(&scene);
}

static void a_row_in_an_outage_is_counted_as_lost(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, false);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store[0], STORE_DOWN);
    (void)write_row(&scene, 0, 1, row_of("a@b.example", "c@d.example", "", "r"));
    assert_true(store_counters(scene.store[0])->lost_writes > 0);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, the_expiry_goes_with_one_row_a_second);
    TABLE_TEST(&table, a_new_day_has_an_expiry_of_its_own);
    TABLE_TEST(&table, a_row_that_was_refused_has_its_expiry_said_again);
    TABLE_TEST(&table, a_new_connection_says_the_expiry_again);
    TABLE_TEST(&table, a_row_is_found_by_its_ticket);
    TABLE_ROWS(&table, WHICH, check_which);
    TABLE_ROWS(&table, PAGES, check_pages);
    TABLE_TEST(&table, a_rare_row_in_many_is_found);
    TABLE_TEST(&table, a_cursor_that_is_none_is_an_error);
    TABLE_TEST(&table, rows_and_their_index_expire);
    TABLE_TEST(&table, the_index_is_mended_after_an_outage);
    TABLE_TEST(&table, replayed_rows_are_kept_for_ever);
    TABLE_TEST(&table, a_row_in_an_outage_is_counted_as_lost);
    return table_run(&table, "tracking rows");
}
