// The stream of events: which rows are believed, and when the near cache may be used: against a
// real Redis, and one that answers what no Redis would.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_redis.h"
#include "tests/support/redis_replies.h"
#include "tests/support/store_scene.h"
#include "tests/support/table.h"

// ---- rows

static const struct id_row {
    const char *name;
    const char *id;
    bool is_one;
} IDS[] = {
    {"an id", "1795295581000-0", true},
    {"the longest", "18446744073709551615-18446744073709551615", true},
    {"empty", "", false},
    {"no dash", "1795295581000", false},
    {"nothing behind the dash", "1795295581000-", false},
    {"nothing before it", "-1", false},
    {"two dashes", "1-2-3", false},
    {"letters", "1-x", false},
    {"a command", "1-1\r\nFLUSHALL", false},
    {"a sign", "+", false},
    {"longer than any", "184467440737095516150-18446744073709551615", false},
};

static void check_id(void **state)
{
    const struct id_row *row = *state;
    struct replies in = {.used = 0};
    char id[EVENT_ID_MAX] = "untouched";

    assert_int_equal(event_id_read(reply_of_text(&in, row->id), id), row->is_one);
    assert_string_equal(id, row->is_one ? row->id : "untouched");
}

static const struct event_row {
    const char *name;
    const char *field[13];
    size_t count;
    enum event_kind kind;
} EVENTS[] = {
#define EXPECT(recipient_, until_, since_, note_)                                                  \
    {                                                                                              \
        "kind", "expect", "recipient", recipient_, "until", until_, "since", since_, "note", note_ \
    }
    {"expect", EXPECT("bob@x.example", "5", "4", "a code"), 10, EVENT_EXPECT},
    {"expect no more", EXPECT("bob@x.example", "0", "0", ""), 10, EVENT_EXPECT},
    {"expect, without a note", EXPECT("bob@x.example", "5", "4", ""), 8, EVENT_EXPECT},
    {"expect, a quoted name", EXPECT("\"b b\"@x.example", "5", "4", ""), 10, EVENT_EXPECT},
    {"expect nobody", EXPECT("", "5", "4", ""), 10, EVENT_UNKNOWN},
    {"expect no more of nobody", EXPECT("", "0", "0", ""), 10, EVENT_UNKNOWN},
    {"expect until a word", EXPECT("bob@x.example", "soon", "4", ""), 10, EVENT_UNKNOWN},
    {"expect until less than 0", EXPECT("bob@x.example", "-5", "4", ""), 10, EVENT_UNKNOWN},
    {"expect for ever", EXPECT("bob@x.example", "18446744073709551615", "4", ""), 10,
     EVENT_UNKNOWN},
    {"expect, more than a number", EXPECT("b@x", "18446744073709551616", "4", ""), 10,
     EVENT_UNKNOWN},
    {"expect without an end", EXPECT("bob@x.example", "5", "4", ""), 4, EVENT_UNKNOWN},
    {"expect without since", EXPECT("bob@x.example", "5", "4", ""), 6, EVENT_UNKNOWN},
    {"expect, control characters", EXPECT("bob\n@x.example", "5", "4", ""), 10, EVENT_UNKNOWN},
    {"expect, no UTF-8", EXPECT("bob@x.example", "5", "4", "\xff"), 10, EVENT_UNKNOWN},
#define SPARED(client_, rests_, day_)                                            \
    {                                                                            \
        "kind", "spared", "client", client_, "rests", rests_, "day", day_, NULL, \
    }
    {"spared", SPARED("192.0.2.1", "20000", "20001"), 8, EVENT_SPARED},
    {"spared no more", SPARED("192.0.2.1", "0", "0"), 8, EVENT_SPARED},
    {"spared no more, whatever it rested on", SPARED("192.0.2.1", "7", "0"), 8, EVENT_SPARED},
    {"spared, the last day there is", SPARED("x", "4294967295", "4294967295"), 8, EVENT_SPARED},
    {"spared is nobody", SPARED("", "20000", "20001"), 8, EVENT_UNKNOWN},
    {"spared no more is nobody", SPARED("", "0", "0"), 8, EVENT_UNKNOWN},
    {"spared, days in the wrong order", SPARED("x", "20001", "20000"), 8, EVENT_UNKNOWN},
    {"spared, a day too many", SPARED("x", "0", "4294967296"), 8, EVENT_UNKNOWN},
    {"spared, rests too far", SPARED("x", "4294967296", "4294967295"), 8, EVENT_UNKNOWN},
    {"spared since less than 0", SPARED("x", "-1", "20000"), 8, EVENT_UNKNOWN},
    {"spared since a word", SPARED("x", "monday", "20000"), 8, EVENT_UNKNOWN},
    {"spared without a day", SPARED("x", "20000", "20000"), 6, EVENT_UNKNOWN},
    {"spared, control characters", SPARED("x\n", "20000", "20000"), 8, EVENT_UNKNOWN},
    {"spared, no UTF-8", SPARED("\xff", "20000", "20000"), 8, EVENT_UNKNOWN},
    {"start", {"kind", "start"}, 2, EVENT_START},
    {"directory", {"kind", "directory"}, 2, EVENT_DIRECTORY},
    {"forget", {"kind", "forget"}, 2, EVENT_FORGET},
    {"more than is known", {"kind", "forget", "why", "x"}, 4, EVENT_FORGET},
#define BAN(client_, until_, since_, unknown_, existing_)                                        \
    {                                                                                            \
        "kind", "ban", "client", client_, "until", until_, "since", since_, "unknown", unknown_, \
            "existing", existing_, NULL,                                                         \
    }
    {"a ban", BAN("192.0.2.1", "300001", "1", "25", "3"), 12, EVENT_BAN},
    {"a ban of a /64", BAN("2001:db8:1:2::/64", "300001", "1", "25", "0"), 12, EVENT_BAN},
    {"banned no more", BAN("192.0.2.1", "0", "0", "0", "0"), 12, EVENT_BAN},
    {"banned no more, and no more words", BAN("192.0.2.1", "0", "", "", ""), 6, EVENT_BAN},
    {"a ban of nobody", BAN("", "300001", "1", "25", "3"), 12, EVENT_UNKNOWN},
    {"banned no more is nobody", BAN("", "0", "0", "0", "0"), 12, EVENT_UNKNOWN},
    {"a ban of a network", BAN("192.0.2.0/24", "300001", "1", "25", "3"), 12, EVENT_UNKNOWN},
    {"a ban of a name", BAN("mx.example", "300001", "1", "25", "3"), 12, EVENT_UNKNOWN},
    {"a ban for ever", BAN("192.0.2.1", "18446744073709551615", "1", "25", "3"), 12, EVENT_UNKNOWN},
    {"a ban that ends before it begins", BAN("192.0.2.1", "1", "300001", "25", "3"), 12,
     EVENT_UNKNOWN},
    {"a ban without its beginning", BAN("192.0.2.1", "300001", "1", "25", "3"), 6, EVENT_UNKNOWN},
    {"a ban without its counts", BAN("192.0.2.1", "300001", "1", "25", "3"), 10, EVENT_UNKNOWN},
    {"a ban without an end", BAN("192.0.2.1", "300001", "1", "25", "3"), 4, EVENT_UNKNOWN},
    {"a ban for less than nothing", BAN("192.0.2.1", "300001", "1", "-25", "3"), 12, EVENT_UNKNOWN},
    {"suspect", {"kind", "suspect", "client", "192.0.2.1", "hour", "500000"}, 6, EVENT_SUSPECT},
    {"suspect, a /64",
     {"kind", "suspect", "client", "2001:db8::/64", "hour", "0"},
     6,
     EVENT_SUSPECT},
    {"suspect is nobody", {"kind", "suspect", "client", "", "hour", "500000"}, 6, EVENT_UNKNOWN},
    {"suspect, an address of a /64",
     {"kind", "suspect", "client", "2001:db8::1", "hour", "1"},
     6,
     EVENT_UNKNOWN},
    {"suspect in no hour", {"kind", "suspect", "client", "192.0.2.1"}, 4, EVENT_UNKNOWN},
    {"suspect at noon",
     {"kind", "suspect", "client", "192.0.2.1", "hour", "noon"},
     6,
     EVENT_UNKNOWN},
    {"in another order", {"why", "x", "kind", "forget"}, 4, EVENT_FORGET},
    {"of a later version", {"kind", "disable"}, 2, EVENT_UNKNOWN},
    {"in capitals", {"kind", "FORGET"}, 2, EVENT_UNKNOWN},
    {"without a kind", {"why", "x"}, 2, EVENT_UNKNOWN},
    {"without fields", {NULL}, 0, EVENT_UNKNOWN},
    {"half a field", {"kind"}, 1, EVENT_UNKNOWN},
};

static void check_event(void **state)
{
    const struct event_row *row = *state;
    struct replies in = {.used = 0};
    struct event event;

    assert_true(event_read(reply_of_entry(&in, "5-1", row->field, row->count), &event));
    assert_string_equal(event.id, "5-1");
    assert_int_equal(event.kind, row->kind);
    if (event.kind == EVENT_SPARED && strcmp(row->field[7], "0") == 0)
        assert_int_equal(event.row.newest + event.row.rests, 0);
    else if (event.kind == EVENT_SPARED)
        assert_true(event.row.newest >= event.row.rests && event.row.rests >= 20000);
}

static void what_is_no_row_is_none(void **state)
{
    static const char *const KIND[] = {"kind", "forget"};
    struct redisReply number = {.type = REDIS_REPLY_INTEGER};
    struct redisReply nothing = {.type = REDIS_REPLY_NIL};
    struct replies in = {.used = 0};
    struct redisReply *row = reply_of_entry(&in, "5-1", KIND, 2);
    struct event event;

    (void)state;
    assert_false(event_read(&number, &event));
    assert_false(event_read(&nothing, &event));
    assert_false(event_read(NULL, &event));
    assert_false(event_read(reply_of_text(&in, "5-1"), &event));
    assert_false(event_read(reply_of_entry(&in, "yesterday", KIND, 2), &event));
    row->elements = 1;
    assert_false(event_read(row, &event));
    row->elements = 2;
    row->element[1] = &nothing; // XRANGE tells so of a deleted row
    assert_true(event_read(row, &event));
    assert_int_equal(event.kind, EVENT_UNKNOWN);
    row->element[0] = &number;
    assert_false(event_read(row, &event));
}

static void a_kind_that_holds_a_nul_is_unknown(void **state)
{
    static const char *const KIND[] = {"kind", "forget"};
    struct replies in = {.used = 0};
    struct redisReply *row = reply_of_entry(&in, "5-1", KIND, 2);
    struct event event;

    (void)state;
    row->element[1]->element[1]->len = 9; // "forget\0.."
    assert_true(event_read(row, &event));
    assert_int_equal(event.kind, EVENT_UNKNOWN);
}

// ---- the near cache of a store

static void near_scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    stage_redis(&scene->stage, NULL);
    scene->stage.config.near_bytes = 1 << 20;
    scene_begin(scene);
}

static enum store_state read_pair(struct scene *scene, struct stage_pair *pair)
{
    pair->triplet.life_ms = KEY_PASSED_SLICE_MS;
    return stage_read(&scene->stage, scene->store, STORE_LOOKUPS, &pair->triplet);
}

// The pair has passed just now, and was read once.
static void learn_pair(struct scene *scene, struct stage_pair *pair)
{
    pair->triplet.now_ms = store_now_ms(scene->store);
    store_write_passed(scene->store, &pair->key, pair->triplet.now_ms, 99);
    assert_int_equal(read_pair(scene, pair), STORE_UP);
    assert_int_equal(store_near_entries(scene->store), 1);
}

static uint64_t cost(struct scene *scene, struct stage_pair *pair)
{
    const struct store_counters *counters = store_counters(scene->store);
    uint64_t before = counters->commands - counters->event_polls;

    assert_int_equal(read_pair(scene, pair), STORE_UP);
    return counters->commands - counters->event_polls - before;
}

static void known_mail_costs_nothing(void **state)
{
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    assert_int_equal(cost(&scene, &scene.pair), 0);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].at_ms, scene.pair.triplet.now_ms);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].mark, 99);
    assert_int_equal(store_counters(scene.store)->near_hits, 1);
    assert_int_equal(store_counters(scene.store)->near_misses, 1);
    scene_close(&scene);
}

static void an_operator_is_told_what_the_store_says(void **state)
{
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    stage_do(&scene.stage, "FLUSHALL");
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_ADMIN, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    scene_close(&scene);
}

static void of_a_list_only_the_others_are_asked_for(void **state)
{
    struct scene scene;
    struct stage_pair other[2];

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    make_pair(&scene, &other[0], "eve@sender.example");
    make_pair(&scene, &other[1], "joe@sender.example");
    other[0].triplet.next = &scene.pair.triplet; // in the middle
    scene.pair.triplet.next = &other[1].triplet;
    assert_int_equal(cost(&scene, &other[0]), 2);
    assert_int_equal(other[0].facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(other[1].facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    scene.pair.triplet.next = &other[0].triplet; // in front
    other[0].triplet.next = &other[1].triplet;
    scene.pair.triplet.life_ms = KEY_PASSED_SLICE_MS;
    assert_int_equal(cost(&scene, &scene.pair), 2);
    other[1].triplet.next = &scene.pair.triplet; // at the end
    scene.pair.triplet.next = NULL;
    assert_int_equal(cost(&scene, &other[0]), 2);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    scene_close(&scene);
}

static void what_is_forgotten_is_forgotten_at_once(void **state)
{
    struct scene scene;
    struct told told;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    told = ask_pair(&scene, store_pair_forget);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 1);
    assert_int_equal(store_near_entries(scene.store), 0);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 2);
    assert_in_range(stage_number(&scene.stage, "PTTL events:{p}"), EVENTS_KEEP_MS - 60000,
                    EVENTS_KEEP_MS + 1000);
    assert_int_equal(ask_pair(&scene, store_pair_forget).count, 0);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 3); // told all the same
    scene_close(&scene);
}

static void who_cannot_tell_the_others_says_so(void **state)
{
    struct scene scene;
    struct told told;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1"); // HDEL works, XADD is refused
    told = ask_pair(&scene, store_pair_forget);
    assert_int_equal(told.state, STORE_FULL);
    assert_int_equal(told.count, 1);
    assert_int_equal(store_near_entries(scene.store), 0);
    told = ask_pair(&scene, store_pair_forget);
    assert_int_equal(told.state, STORE_FULL);
    assert_int_equal(told.count, 0);
    scene_close(&scene);
}

// A reply that was on its way when something was forgotten must not be learnt after it.
static void what_was_asked_before_a_drop_is_not_learnt(void **state)
{
    struct stage_op op = {.calls = 0};
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    events_drop(scene.store);
    store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet,
                      stage_done(stage_op_done, &op, 1));
    events_drop(scene.store);
    stage_until(&scene.stage, stage_op_is_done, &op);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(store_near_entries(scene.store), 0);
    assert_int_equal(read_pair(&scene, &scene.pair), STORE_UP);
    assert_int_equal(store_near_entries(scene.store), 1); // the next one is
    scene_close(&scene);
}

static bool is_empty(void *store)
{
    return store_near_entries(store) == 0;
}

static const struct loss_row {
    const char *name;
    const char *command;
} LOSSES[] = {
    {"somebody forgets", "XADD events:{p} * kind forget"},
    {"an event of a later version", "XADD events:{p} * kind disable"},
    {"an event without a kind", "XADD events:{p} * a b"},
    {"the stream is deleted", "DEL events:{p}"},
    {"the stream is trimmed", "XTRIM events:{p} MAXLEN 0"},
    {"it is trimmed, and one that says nothing is left", "XADD events:{p} MAXLEN 1 * kind start"},
    {"everything is flushed", "FLUSHALL"},
    {"the connections are lost", "CLIENT KILL TYPE normal SKIPME yes"},
};

static void check_loss(void **state)
{
    const struct loss_row *row = *state;
    struct scene scene;

    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    stage_do(&scene.stage, row->command);
    uint64_t lost_ms = clock_mono_ms();

    stage_until(&scene.stage, is_empty, scene.store);
    assert_in_range(clock_mono_ms() - lost_ms, 0, 1000 + 500); // and what a busy machine adds
    assert_int_equal(store_counters(scene.store)->near_drops, 1);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    stage_until(&scene.stage, follows_events, scene.store);
    learn_pair(&scene, &scene.pair);
    assert_int_equal(cost(&scene, &scene.pair), 0);
    scene_close(&scene);
}

static void a_start_of_another_node_drops_nothing(void **state)
{
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    stage_do(&scene.stage, "EVAL %s 0",
             "for i = 1, 250 do redis.call('xadd', 'events:{p}', '*', 'kind', 'start') end");
    uint64_t until_ms = clock_mono_ms() + 5000;

    while (store_counters(scene.store)->events_seen < 250 && clock_mono_ms() < until_ms)
        stage_run(&scene.stage, 10);
    assert_int_equal(store_counters(scene.store)->events_seen, 250); // more than a page
    assert_int_equal(store_near_entries(scene.store), 1);
    assert_int_equal(store_counters(scene.store)->near_drops, 0);
    scene_close(&scene);
}

// Ten pages are read in a row, not one a poll.
static void behind_many_others_it_is_heard_as_soon(void **state)
{
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    stage_do(&scene.stage, "EVAL %s 0",
             "for i = 1, 999 do redis.call('xadd', 'events:{p}', '*', 'kind', 'start') end "
             "redis.call('xadd', 'events:{p}', '*', 'kind', 'forget')");
    uint64_t told_ms = clock_mono_ms();

    stage_until(&scene.stage, is_empty, scene.store);
    assert_in_range(clock_mono_ms() - told_ms, 0, 1000 + 500);
    scene_close(&scene);
}

static void a_stream_that_cannot_be_read_is_not_trusted(void **state)
{
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    stage_do(&scene.stage, "SET events:{p} x");
    stage_run(&scene.stage, EVENTS_TRUST_MS + 100);
    assert_false(events_are_known(scene.store));
    assert_int_equal(cost(&scene, &scene.pair), 1);
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] > 0);
    stage_do(&scene.stage, "DEL events:{p}");
    stage_run(&scene.stage, 2 * EVENTS_POLL_MS + 100);
    assert_true(events_are_known(scene.store));
    scene_close(&scene);
}

// The process, not the server: nothing was heard while it slept.
static void who_slept_asks(void **state)
{
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    for (unsigned i = 0; i < 6; i++)
        stage_sleep_ms(EVENTS_TRUST_MS / 5);
    assert_false(events_are_known(scene.store));
    assert_int_equal(cost(&scene, &scene.pair), 1);
    scene_close(&scene);
}

static void while_the_store_is_gone_what_is_known_is_known(void **state)
{
    struct scene scene;
    struct stage_pair other;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    make_pair(&scene, &other, "eve@sender.example");
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    stage_run(&scene.stage, EVENTS_TRUST_MS + 100);
    assert_int_equal(read_pair(&scene, &scene.pair), STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    other.triplet.next = &scene.pair.triplet;
    assert_int_equal(read_pair(&scene, &other), STORE_DOWN); // one of them is not known
    assert_int_equal(other.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    stage_redis(&scene.stage, NULL);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(store_near_entries(scene.store), 0);
    assert_int_equal(read_pair(&scene, &scene.pair), STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    scene_close(&scene);
}

static void a_clock_that_is_accepted_drops_it(void **state)
{
    struct scene scene;

    (void)state;
    near_scene_open(&scene);
    learn_pair(&scene, &scene.pair);
    store_clock_accept(scene.store);
    assert_int_equal(store_near_entries(scene.store), 0);
    scene_close(&scene);
}

static void with_replay_the_stream_is_kept(void **state)
{
    struct scene scene;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    stage_redis(&scene.stage, NULL);
    scene.stage.config.near_bytes = 1 << 20;
    scene.stage.config.replay = true;
    scene_begin(&scene);
    assert_int_equal(ask_pair(&scene, store_pair_forget).state, STORE_UP);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 2);
    assert_int_equal(stage_number(&scene.stage, "TTL events:{p}"), -1);
    scene_close(&scene);
}

// ---- answers that no Redis gives

static const struct odd_row {
    const char *name;
    const char *verb;
    const char *answer;
} ODD[] = {
    {"a number for the newest row", "XREVRANGE", ":1\r\n"},
    {"a text", "XREVRANGE", "$5\r\nhello\r\n"},
    {"nothing", "XREVRANGE", "*-1\r\n"},
    {"a row that is none", "XREVRANGE", "*1\r\n:1\r\n"},
    {"two rows", "XREVRANGE", "*2\r\n*2\r\n$3\r\n1-1\r\n*0\r\n*2\r\n$3\r\n1-0\r\n*0\r\n"},
    {"an empty list of lists", "XREVRANGE", "*1\r\n*0\r\n"},
    {"an error", "XREVRANGE", "-WRONGTYPE no stream\r\n"},
    {"no rights", "XREVRANGE", "-NOPERM this user has no permissions\r\n"},
    {"another row", "XRANGE", "*1\r\n*2\r\n$3\r\n1-2\r\n*0\r\n"},
    {"no row", "XRANGE", "*0\r\n"},
    {"a number", "XRANGE", ":1\r\n"},
    {"rubbish behind the first row", "XRANGE", "*2\r\n*2\r\n$3\r\n1-1\r\n*0\r\n:7\r\n"},
    {"an error for rows", "XRANGE", "-ERR no\r\n"},
    {"a number for a slice", "HSCAN", ":1\r\n"},
    {"a slice of nothing", "HSCAN", "*0\r\n"},
    {"a cursor that is none", "HSCAN", "*2\r\n$1\r\nx\r\n*0\r\n"},
    {"a cursor that is a number", "HSCAN", "*2\r\n:0\r\n*0\r\n"},
    {"no rows in it", "HSCAN", "*2\r\n$1\r\n0\r\n$1\r\nx\r\n"},
    {"half a row", "HSCAN", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n"},
    {"an error for a slice", "HSCAN", "-WRONGTYPE no hash\r\n"},
};

static void check_odd(void **state)
{
    const struct odd_row *row = *state;
    struct stage stage;
    struct stage_pair pair;

    stage_open(&stage);
    stage.config.near_bytes = 1 << 20;
    struct fake *fake = fake_open(&stage);
    fake->raw_on = row->verb;
    fake->raw = row->answer;
    struct store *store = stage_store(&stage, &stage.config);

    stage_until_state(&stage, store, STORE_UP);
    stage_run(&stage, EVENTS_TRUST_MS + 300); // long enough to be trusted no more
    assert_int_equal(store_state(store), STORE_UP);
    if (strcmp(row->verb, "XREVRANGE") == 0)
        assert_false(follows_events(store));
    assert_int_equal(store->reading.is_known, strcmp(row->verb, "HSCAN") != 0);
    assert_true(store_counters(store)->event_polls < 50); // it does not ask like mad
    stage_pair_make(&pair, store_ring(store), "ann@sender.example", "192.0.2.0/24",
                    store_now_ms(store));
    assert_int_equal(stage_read(&stage, store, STORE_LOOKUPS, &pair.triplet), STORE_UP);
    fake->raw_on = NULL; // and when it is over, it follows
    stage_until(&stage, follows_events, store);
    store_free(&store);
    fake_close(&fake);
    stage_close(&stage);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, IDS, check_id);
    TABLE_ROWS(&table, EVENTS, check_event);
    TABLE_TEST(&table, what_is_no_row_is_none);
    TABLE_TEST(&table, a_kind_that_holds_a_nul_is_unknown);
    TABLE_TEST(&table, known_mail_costs_nothing);
    TABLE_TEST(&table, an_operator_is_told_what_the_store_says);
    TABLE_TEST(&table, of_a_list_only_the_others_are_asked_for);
    TABLE_TEST(&table, what_is_forgotten_is_forgotten_at_once);
    TABLE_TEST(&table, who_cannot_tell_the_others_says_so);
    TABLE_TEST(&table, what_was_asked_before_a_drop_is_not_learnt);
    TABLE_ROWS(&table, LOSSES, check_loss);
    TABLE_TEST(&table, a_start_of_another_node_drops_nothing);
    TABLE_TEST(&table, behind_many_others_it_is_heard_as_soon);
    TABLE_TEST(&table, a_stream_that_cannot_be_read_is_not_trusted);
    TABLE_TEST(&table, who_slept_asks);
    TABLE_TEST(&table, while_the_store_is_gone_what_is_known_is_known);
    TABLE_TEST(&table, a_clock_that_is_accepted_drops_it);
    TABLE_TEST(&table, with_replay_the_stream_is_kept);
    TABLE_ROWS(&table, ODD, check_odd);
    return table_run(&table, "the stream of events");
}
