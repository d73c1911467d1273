// The store against a server that misbehaves on purpose (tests/support/fake_redis.h): every error
// reply, silence, late replies, nonsense, cut connections, clocks that are set. What must hold in
// all of it: done is called exactly once, in time, with the right word; and all comes back by
// itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/inside.h"
#include "tests/support/fake_redis.h"
#include "tests/support/redis_stage.h"
#include "tests/support/table.h"

// A store and its fake server, up, with one pair to ask about.
struct scene {
    struct stage stage;
    struct fake *fake;
    struct store *store;
    struct stage_pair pair;
};

static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    scene->fake = fake_open(&scene->stage);
    scene->store = stage_store(&scene->stage, &scene->stage.config);
}

static void scene_up(struct scene *scene)
{
    stage_until_state(&scene->stage, scene->store, STORE_UP);
    stage_pair_make(&scene->pair, store_ring(scene->store), "ann@sender.example", "192.0.2.0/24",
                    store_now_ms(scene->store));
}

static void scene_close(struct scene *scene)
{
    store_free(&scene->store);
    fake_close(&scene->fake);
    stage_close(&scene->stage);
}

static const char *described(const struct store *store, char *memory, size_t size)
{
    struct text_buf text;

    text_buf_init(&text, memory, size);
    store_describe(store, &text);
    return memory;
}

static bool admin_is_up(void *store)
{
    return redis_state(((struct store *)store)->lane[STORE_ADMIN]) == STORE_UP;
}

// ---- every error reply, in the greeting and to each command of an operation

static const struct refusal_row {
    const char *name;
    const char *text;
    enum store_state state;
} REFUSALS[] = {
    {"loading", "LOADING Redis is loading the dataset in memory", STORE_LOADING},
    {"readonly", "READONLY You can't write against a read only replica.", STORE_READONLY},
    {"masterdown", "MASTERDOWN Link with MASTER is down", STORE_MASTERDOWN},
    {"oom", "OOM command not allowed when used memory > 'maxmemory'.", STORE_FULL},
    {"misconf", "MISCONF Errors writing to the AOF file", STORE_DISK},
    {"noreplicas", "NOREPLICAS Not enough good replicas to write.", STORE_NOREPLICAS},
    {"busy", "BUSY Redis is busy running a script.", STORE_BUSY},
    {"noauth", "NOAUTH Authentication required.", STORE_DENIED},
    {"wrongpass", "WRONGPASS invalid username-password pair", STORE_DENIED},
    {"noperm", "NOPERM this user has no permissions", STORE_DENIED},
    {"invalid password", "ERR invalid password", STORE_DENIED},
    {"moved", "MOVED 3999 127.0.0.1:6381", STORE_CLUSTER},
    {"ask", "ASK 3999 127.0.0.1:6381", STORE_CLUSTER},
    {"tryagain", "TRYAGAIN Multiple keys request during rehashing of slot", STORE_CLUSTER},
    {"clusterdown", "CLUSTERDOWN The cluster is down", STORE_CLUSTER},
    {"crossslot", "CROSSSLOT Keys in request don't hash to the same slot", STORE_CLUSTER},
    {"noscript", "NOSCRIPT No matching script.", STORE_NOSCRIPT},
    {"wrong type", "WRONGTYPE Operation against a key", STORE_ERROR},
    {"anything else", "ERR unknown command", STORE_ERROR},
};

static void check_refused_greeting(void **state)
{
    const struct refusal_row *row = *state;
    struct scene scene;
    char words[600];

    scene_open(&scene);
    scene.fake->error_on = "*";
    scene.fake->error_text = row->text;
    if (row->state == STORE_DENIED) { // INFO may be forbidden
        scene.fake->error_on = "HGETALL";
    }
    stage_until_state(&scene.stage, scene.store, row->state);
    assert_int_equal(store_ring(scene.store)->count, 0);
    assert_non_null(
        strstr(described(scene.store, words, sizeof(words)), store_state_text(row->state)));
    assert_non_null(strstr(words, row->text));
    assert_true(store_counters(scene.store)->errors[row->state] > 0);
    scene.fake->error_on = NULL; // and it comes back by itself
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

static void check_refused_operation(void **state)
{
    const struct refusal_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene_up(&scene);
    scene.fake->error_on = "HSETNX";
    scene.fake->error_text = row->text;
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), row->state);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(scene.pair.facts.pending[KEY_PREVIOUS][1].state, FACT_ABSENT);
    assert_int_equal(store_counters(scene.store)->errors[row->state], 1);
    assert_int_equal(store_state(scene.store), STORE_UP); // the connection is as good as before
    scene.fake->error_on = "HMGET";
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     row->state);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    scene.fake->error_on = NULL;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    scene_close(&scene);
}

static void a_denied_store_says_what_to_look_at(void **state)
{
    struct scene scene;
    char words[600];

    (void)state;
    scene_open(&scene);
    scene.fake->error_on = "PING";
    scene.fake->error_text = "NOAUTH Authentication required.";
    stage_until_state(&scene.stage, scene.store, STORE_DENIED);
    assert_non_null(strstr(described(scene.store, words, sizeof(words)),
                           "check store.user and store.password_file"));
    scene_close(&scene);
}

static void a_store_that_forbids_info_is_used(void **state)
{
    struct scene scene;
    char words[600];

    (void)state;
    scene_open(&scene);
    scene.fake->error_on = "INFO";
    scene.fake->error_text = "NOPERM this user has no permissions to run the 'info' command";
    scene_up(&scene);
    assert_null(strstr(described(scene.store, words, sizeof(words)), "redis "));
    scene_close(&scene);
}

// ---- nonsense

static const struct nonsense_row {
    const char *name;
    const char *verb;
    const char *raw;
} NONSENSE[] = {
    {"PING answered with a number", "PING", ":1\r\n"},
    {"INFO answered with a list", "INFO", "*0\r\n"},
    {"TIME with one number", "TIME", "*1\r\n$1\r\n1\r\n"},
    {"TIME with words", "TIME", "*2\r\n$3\r\nten\r\n$1\r\n0\r\n"},
    {"TIME far beyond", "TIME", "*2\r\n$20\r\n18446744073709551615\r\n$1\r\n0\r\n"},
    {"TIME with integers", "TIME", "*2\r\n:1\r\n:1\r\n"},
    {"meta is a number", "HGETALL", ":5\r\n"},
    {"meta is odd", "HGETALL", "*1\r\n$6\r\nformat\r\n"},
    {"meta holds lists", "HGETALL", "*2\r\n*0\r\n*0\r\n"},
    {"no protocol at all", "PING", "HTTP/1.1 400 Bad Request\r\n\r\n"},
    {"a length that lies", "INFO", "$-5\r\n"},
};

static void check_nonsense_greeting(void **state)
{
    const struct nonsense_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene.fake->raw_on = row->verb;
    scene.fake->raw = row->raw;
    stage_run(&scene.stage, 300);
    assert_int_not_equal(store_state(scene.store), STORE_UP);
    assert_true(scene.fake->connections >= 2); // it was tried again
    scene.fake->raw_on = NULL;
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

static const struct garbage_row {
    const char *name;
    const char *raw; // to HMGET of two fields
} GARBAGE[] = {
    {"an integer", ":1\r\n"},
    {"one value for two fields", "*1\r\n$-1\r\n"},
    {"three values for two fields", "*3\r\n$-1\r\n$-1\r\n$-1\r\n"},
    {"a value too short", "*2\r\n$-1\r\n$9\r\n123456789\r\n"},
    {"a value too long", "*2\r\n$-1\r\n$11\r\n12345678901\r\n"},
    {"an empty value", "*2\r\n$-1\r\n$0\r\n\r\n"},
    {"integers as values", "*2\r\n:1\r\n:2\r\n"},
    {"no list", "*-1\r\n"},
};

static void check_garbage(void **state)
{
    const struct garbage_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene_up(&scene);
    scene.fake->raw_on = "HMGET";
    scene.fake->raw = row->raw;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_ERROR);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    scene.fake->raw_on = NULL;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    scene_close(&scene);
}

// ---- silence and lateness

static void a_silent_store_costs_one_deadline_and_then_nothing(void **state)
{
    struct scene scene;
    uint64_t asked_ms = 0;
    struct stage_op op = {.calls = 0};

    (void)state;
    scene_open(&scene);
    scene_up(&scene);
    scene.fake->holds = true;
    asked_ms = clock_mono_ms();
    store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet,
                      stage_done(stage_op_done, &op, 1));
    assert_int_equal(op.calls, 0);
    stage_until(&scene.stage, stage_op_is_done, &op);
    assert_int_equal(op.state, STORE_SLOW);
    assert_in_range(op.at_ms - asked_ms, 99, 400); // the machine of a test may be busy
    assert_int_equal(store_counters(scene.store)->timeouts, 1);
    stage_run(&scene.stage, 5); // the oldest command is now older than the deadline
    assert_int_equal(store_state(scene.store), STORE_SLOW);
    op.calls = 0; // the next one is not even sent
    store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet,
                      stage_done(stage_op_done, &op, 1));
    assert_int_equal(op.calls, 1);
    assert_int_equal(op.state, STORE_SLOW);
    scene_close(&scene);
}

static void a_caller_may_wait_less_than_the_deadline(void **state)
{
    struct scene scene;
    struct stage_op patient = {.calls = 0};
    struct stage_op hasty = {.calls = 0};
    struct store_done done = stage_done(stage_op_done, &hasty, 1);

    (void)state;
    scene_open(&scene);
    scene_up(&scene);
    scene.fake->holds = true;
    uint64_t asked_ms = clock_mono_ms();

    store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet,
                      stage_done(stage_op_done, &patient, 1));
    done.within_ms = 20;
    store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet, done);
    stage_until(&scene.stage, stage_op_is_done, &hasty);
    assert_in_range(hasty.at_ms - asked_ms, 19, 90);
    assert_int_equal(hasty.state, STORE_SLOW);
    assert_int_equal(patient.calls, 0);
    stage_until(&scene.stage, stage_op_is_done, &patient);
    assert_in_range(patient.at_ms - asked_ms, 99, 400);
    done.within_ms = 5000; // more than the store's own deadline is not to be had
    hasty.calls = 0;
    fake_release(scene.fake);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene.fake->holds = true;
    asked_ms = clock_mono_ms();
    store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet, done);
    stage_until(&scene.stage, stage_op_is_done, &hasty);
    assert_in_range(hasty.at_ms - asked_ms, 99, 400);
    scene_close(&scene);
}

static void a_late_reply_is_dropped_and_counted(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene_up(&scene);
    scene.fake->holds = true;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_SLOW);
    scene.pair.facts.passed[KEY_CURRENT][1].state = FACT_PRESENT; // ours again: nobody may write it
    fake_release(scene.fake);
    stage_until_state(&scene.stage, scene.store, STORE_UP); // as soon as the replies were read
    assert_int_equal(store_counters(scene.store)->late, 2);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(store_counters(scene.store)->disconnects, 0);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    scene_close(&scene);
}

static bool is_disconnected(void *store)
{
    return store_counters(store)->disconnects > 0;
}

static void a_second_of_silence_ends_the_connection(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene_up(&scene);
    scene.fake->is_silent = true;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_SLOW);
    assert_true(stage_within(&scene.stage, 2000, is_disconnected, scene.store));
    assert_int_equal(store_state(scene.store), STORE_SLOW);
    scene.fake->is_silent = false;
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

static void a_store_that_greets_too_slowly_is_not_up(void **state)
{
    struct scene scene;
    char words[600];

    (void)state;
    scene_open(&scene);
    scene.fake->holds = true;
    stage_run(&scene.stage, 200); // PING waits longer than the deadline of 100 ms
    fake_release(scene.fake);
    stage_until_state(&scene.stage, scene.store, STORE_SLOW);
    assert_non_null(strstr(described(scene.store, words, sizeof(words)), "PING"));
    stage_until_state(&scene.stage, scene.store, STORE_UP); // the next greeting is quick
    scene_close(&scene);
}

static void a_greeting_without_an_answer_ends_after_a_second(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.fake->is_silent = true;
    stage_until_state(&scene.stage, scene.store, STORE_SLOW);
    assert_int_equal(scene.fake->connections, 1);
    scene.fake->is_silent = false;
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

// ---- crowds

enum { CROWD = 6000 };

static void count_done(void *arg, uint64_t token, enum store_state state)
{
    unsigned *count = arg;

    (void)token;
    count[state]++;
}

static bool all_are_done(void *arg)
{
    const unsigned *count = arg;
    unsigned sum = 0;

    for (unsigned i = 0; i < STORE_STATE_COUNT; i++)
        sum += count[i];
    return sum == CROWD;
}

static void more_than_the_bound_is_refused_at_once(void **state)
{
    static unsigned count[STORE_STATE_COUNT];
    struct scene scene;

    (void)state;
    memset(count, 0, sizeof(count));
    scene_open(&scene);
    scene_up(&scene);
    scene.fake->is_silent = true;
    for (unsigned i = 0; i < CROWD; i++)
        store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet,
                          stage_done(count_done, count, i));
    assert_true(count[STORE_CROWDED] >= CROWD - REDIS_IN_FLIGHT_MAX / 2); // two commands each
    assert_int_equal(store_counters(scene.store)->refused_crowded, count[STORE_CROWDED]);
    stage_until(&scene.stage, all_are_done, count);
    assert_int_equal(count[STORE_UP], 0);
    assert_int_equal(count[STORE_SLOW] + count[STORE_CROWDED], CROWD); // everybody once
    scene_close(&scene);
}

static void nobody_is_forgotten_when_the_store_goes(void **state)
{
    static unsigned count[STORE_STATE_COUNT];
    struct scene scene;

    (void)state;
    memset(count, 0, sizeof(count));
    scene_open(&scene);
    scene_up(&scene);
    scene.fake->is_silent = true;
    for (unsigned i = 0; i < 100; i++)
        store_add_pending(scene.store, &scene.pair.triplet, false,
                          stage_done(count_done, count, i));
    store_free(&scene.store);
    assert_int_equal(count[STORE_DOWN], 100);
    scene_close(&scene);
}

static void a_cut_connection_answers_everybody_down(void **state)
{
    static unsigned count[STORE_STATE_COUNT];
    struct scene scene;

    (void)state;
    memset(count, 0, sizeof(count));
    scene_open(&scene);
    scene_up(&scene);
    scene.fake->hangs_up = true;
    for (unsigned i = 0; i < 100; i++)
        store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet,
                          stage_done(count_done, count, i));
    store_write_passed(scene.store, &scene.pair.key, 1, 1);
    stage_until(&scene.stage, is_disconnected, scene.store);
    assert_int_equal(count[STORE_DOWN], 100);
    assert_int_equal(store_counters(scene.store)->lost_writes, 2); // HSET and EXPIREAT
    assert_int_equal(store_state(scene.store), STORE_DOWN);
    store_read_passed(scene.store, STORE_LOOKUPS, &scene.pair.triplet,
                      stage_done(count_done, count, 0));
    assert_int_equal(count[STORE_DOWN], 101); // at once
    assert_true(store_counters(scene.store)->refused_down >= 1);
    scene.fake->hangs_up = false;
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

// Whoever is told of an end may ask again from inside.
struct again {
    struct scene *scene;
    unsigned calls;
};

static void ask_again(void *arg, uint64_t token, enum store_state state)
{
    struct again *again = arg;

    (void)state;
    again->calls++;
    if (token > 0)
        store_read_passed(again->scene->store, STORE_LOOKUPS, &again->scene->pair.triplet,
                          stage_done(ask_again, again, token - 1));
}

static bool was_asked_thrice(void *arg)
{
    return ((struct again *)arg)->calls == 3;
}

static void an_end_may_begin_the_next_operation(void **state)
{
    struct scene scene;
    struct again again = {.scene = &scene};

    (void)state;
    scene_open(&scene);
    scene_up(&scene);
    ask_again(&again, 2, STORE_UP); // answered well
    stage_until(&scene.stage, was_asked_thrice, &again);
    again.calls = 0;
    scene.fake->hangs_up = true; // and while the connection is let go
    ask_again(&again, 2, STORE_UP);
    stage_until(&scene.stage, was_asked_thrice, &again);
    scene_close(&scene);
}

// ---- the clock

static const struct step_row {
    const char *name;
    int64_t step_ms;
    bool is_ok;
    unsigned steps;
    bool is_followed;
} STEPS[] = {
    {"half a second", 500, true, 0, true},          {"ten seconds", 10000, true, 1, true},
    {"ten seconds back", -10000, true, 1, true},    {"two minutes", 120000, false, 1, false},
    {"two minutes back", -120000, false, 1, false},
};

static bool has_asked_time_and_meta(void *arg)
{
    return strcmp(((struct fake *)arg)->last_verb, "HGETALL") == 0;
}

static void sync_now(struct scene *scene)
{
    scene->fake->last_verb[0] = '\0';
    greeting_sync(scene->store);
    stage_until(&scene->stage, has_asked_time_and_meta, scene->fake);
    stage_run(&scene->stage, 5); // its last answer is on the way
}

static void check_step(void **state)
{
    const struct step_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene_up(&scene);
    assert_in_range(store_clock_offset_ms(scene.store) + 50, 0, 100);
    scene.fake->clock_ms = row->step_ms;
    sync_now(&scene);
    assert_int_equal(store_clock_ok(scene.store), row->is_ok);
    assert_int_equal(store_counters(scene.store)->clock_steps, row->steps);
    int64_t wanted_ms = row->is_followed && row->step_ms > 0 ? row->step_ms : 0; // never back

    assert_in_range(store_clock_offset_ms(scene.store) - wanted_ms + 100, 0, 200);
    sync_now(&scene); // told once
    assert_int_equal(store_counters(scene.store)->clock_steps, row->steps);
    store_clock_accept(scene.store);
    assert_true(store_clock_ok(scene.store));
    if (!row->is_followed)
        assert_in_range(store_clock_offset_ms(scene.store) - row->step_ms + 100, 0, 200);
    scene_close(&scene);
}

static void time_runs_on_in_an_outage(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.fake->clock_ms = 3600000;
    scene_up(&scene);
    scene.fake->hangs_up = true;
    fake_hang_up_all(scene.fake);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_in_range(store_clock_offset_ms(scene.store), 3599900, 3600100);
    assert_int_equal(store_ring(scene.store)->count, 1); // and the secrets are kept
    scene_close(&scene);
}

static void with_replay_nothing_expires_and_time_is_given(void **state)
{
    struct scene scene;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    scene.fake = fake_open(&scene.stage);
    scene.stage.config.replay = true;
    scene.store = stage_store(&scene.stage, &scene.stage.config);
    store_replay(scene.store, 5000);
    store_replay(scene.store, 4000); // never earlier
    assert_int_equal(store_now_ms(scene.store), 5000);
    scene_up(&scene);
    assert_int_equal(store_now_ms(scene.store), 5000);
    assert_true(store_clock_ok(scene.store));
    stage_until(&scene.stage, admin_is_up, scene.store); // its PING is counted, too
    unsigned before = scene.fake->commands;

    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.fake->commands - before, 3); // HMGET HSETNX HMGET, no EXPIREAT
    scene_close(&scene);
}

// ---- what an operator's commands meet

struct told {
    unsigned calls;
    enum store_state state;
    size_t count;
    char text[300];
};

static void told_pair(void *arg, enum store_state state, const struct pair_entry *entries,
                      size_t count)
{
    struct told *told = arg;

    (void)entries;
    told->calls++;
    told->state = state;
    told->count = count;
}

static void told_rows(void *arg, enum store_state state, const struct track_row *rows, size_t count,
                      const char *cursor)
{
    struct told *told = arg;

    (void)rows;
    told->calls++;
    told->state = state;
    told->count = count;
    (void)snprintf(told->text, sizeof(told->text), "%s", cursor);
}

static void told_text(void *arg, enum store_state state, const char *text)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

static bool was_told(void *arg)
{
    return ((struct told *)arg)->calls > 0;
}

static void ask_show(struct scene *scene, struct told *told)
{
    store_pair_show(scene->store, &scene->pair.key, (struct pair_done){told_pair, told});
}

static void ask_forget(struct scene *scene, struct told *told)
{
    store_pair_forget(scene->store, &scene->pair.key, (struct pair_done){told_pair, told});
}

static void ask_pass(struct scene *scene, struct told *told)
{
    store_pair_pass(scene->store, &scene->pair.key, 5, (struct pair_done){told_pair, told});
}

static void ask_find(struct scene *scene, struct told *told)
{
    struct track_query query = {
        .sender = "", .recipient = "", .client_ip = "", .reason = "", .cursor = "", .limit = 5};

    store_track_find(scene->store, &query, (struct track_done){told_rows, told});
}

static void ask_ticket(struct scene *scene, struct told *told)
{
    struct track_query query = {.by_ticket = true,
                                .ticket = {1, 1000, 1},
                                .sender = "",
                                .recipient = "",
                                .client_ip = "",
                                .reason = "",
                                .cursor = ""};

    store_track_find(scene->store, &query, (struct track_done){told_rows, told});
}

static void ask_rotate(struct scene *scene, struct told *told)
{
    store_secret_rotate(scene->store, 0, (struct store_text_done){told_text, told});
}

static const struct question_row {
    const char *name;
    void (*ask)(struct scene *scene, struct told *told);
} QUESTIONS_ASKED[] = {
    {"show", ask_show}, {"forget", ask_forget}, {"pass", ask_pass},
    {"find", ask_find}, {"ticket", ask_ticket}, {"rotate", ask_rotate},
};

static void check_question(void **state)
{
    const struct question_row *row = *state;
    struct scene scene;
    struct told told = {.calls = 0};

    scene_open(&scene);
    row->ask(&scene, &told); // before there is a connection: at once
    assert_int_equal(told.calls, 1);
    assert_true(told.state != STORE_UP || told.text[0] != '\0');
    scene_up(&scene);
    stage_until(&scene.stage, admin_is_up, scene.store);
    scene.fake->error_on = "*"; // an error to everything
    scene.fake->error_text = "LOADING Redis is loading the dataset in memory";
    told = (struct told){.calls = 0};
    row->ask(&scene, &told);
    stage_until(&scene.stage, was_told, &told);
    assert_int_equal(told.state, STORE_LOADING);
    assert_int_equal(told.count, 0);
    scene.fake->error_on = NULL;
    scene.fake->is_silent = true; // silence
    told = (struct told){.calls = 0};
    row->ask(&scene, &told);
    stage_until(&scene.stage, was_told, &told);
    assert_int_equal(told.state, STORE_SLOW);
    scene.fake->is_silent = false;
    fake_hang_up_all(scene.fake); // and everything is well again
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    stage_until(&scene.stage, admin_is_up, scene.store);
    assert_int_equal(told.calls, 1);
    assert_int_equal(scene.store->admin_work, 0);
    scene_close(&scene);
}

static void a_handful_of_questions_at_once_is_enough(void **state)
{
    static struct told told[STORE_ADMIN_WORK_MAX + 1];
    struct scene scene;

    (void)state;
    memset(told, 0, sizeof(told));
    scene_open(&scene);
    scene_up(&scene);
    stage_until(&scene.stage, admin_is_up, scene.store);
    scene.fake->is_silent = true;
    for (unsigned i = 0; i <= STORE_ADMIN_WORK_MAX; i++)
        ask_show(&scene, &told[i]);
    assert_int_equal(told[STORE_ADMIN_WORK_MAX].calls, 1);
    assert_int_equal(told[STORE_ADMIN_WORK_MAX].state, STORE_CROWDED);
    stage_until(&scene.stage, was_told, &told[0]);
    assert_int_equal(told[0].state, STORE_SLOW);
    scene_close(&scene);
}

static void questions_under_way_end_with_the_store(void **state)
{
    static struct told told[6];
    struct scene scene;

    (void)state;
    memset(told, 0, sizeof(told));
    scene_open(&scene);
    scene_up(&scene);
    stage_until(&scene.stage, admin_is_up, scene.store);
    scene.fake->is_silent = true;
    for (unsigned i = 0; i < 6; i++)
        QUESTIONS_ASKED[i].ask(&scene, &told[i]);
    store_free(&scene.store);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(told[i].calls, 1);
        assert_int_equal(told[i].state, STORE_DOWN);
    }
    scene_close(&scene);
}

static void an_address_that_is_none_is_refused_when_made(void **state)
{
    struct stage stage;
    struct store *store = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    stage_open(&stage);
    stage.config.address = "redis.example:6379";
    assert_int_equal(store_new(&store, stage.loop, &stage.config, &detail), ERR_CONFIG);
    assert_non_null(strstr(detail.text, "redis.example"));
    assert_null(store);
    stage_close(&stage);
}

static void a_user_without_a_password_is_refused_when_made(void **state)
{
    struct stage stage;
    struct store *store = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    stage_open(&stage);
    stage.config.user = "reeve";
    assert_int_equal(store_new(&store, stage.loop, &stage.config, &detail), ERR_CONFIG);
    assert_non_null(strstr(detail.text, "password_file"));
    stage_close(&stage);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, REFUSALS, check_refused_greeting);
    TABLE_ROWS(&table, REFUSALS, check_refused_operation);
    TABLE_TEST(&table, a_denied_store_says_what_to_look_at);
    TABLE_TEST(&table, a_store_that_forbids_info_is_used);
    TABLE_ROWS(&table, NONSENSE, check_nonsense_greeting);
    TABLE_ROWS(&table, GARBAGE, check_garbage);
    TABLE_TEST(&table, a_silent_store_costs_one_deadline_and_then_nothing);
    TABLE_TEST(&table, a_caller_may_wait_less_than_the_deadline);
    TABLE_TEST(&table, a_late_reply_is_dropped_and_counted);
    TABLE_TEST(&table, a_second_of_silence_ends_the_connection);
    TABLE_TEST(&table, a_store_that_greets_too_slowly_is_not_up);
    TABLE_TEST(&table, a_greeting_without_an_answer_ends_after_a_second);
    TABLE_TEST(&table, more_than_the_bound_is_refused_at_once);
    TABLE_TEST(&table, nobody_is_forgotten_when_the_store_goes);
    TABLE_TEST(&table, a_cut_connection_answers_everybody_down);
    TABLE_TEST(&table, an_end_may_begin_the_next_operation);
    TABLE_ROWS(&table, STEPS, check_step);
    TABLE_TEST(&table, time_runs_on_in_an_outage);
    TABLE_TEST(&table, with_replay_nothing_expires_and_time_is_given);
    TABLE_ROWS(&table, QUESTIONS_ASKED, check_question);
    TABLE_TEST(&table, a_handful_of_questions_at_once_is_enough);
    TABLE_TEST(&table, questions_under_way_end_with_the_store);
    TABLE_TEST(&table, an_address_that_is_none_is_refused_when_made);
    TABLE_TEST(&table, a_user_without_a_password_is_refused_when_made);
    return table_run(&table, "store against a fake server");
}
