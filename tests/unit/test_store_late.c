// The store against a server that misbehaves on purpose (tests/support/fake_redis.h): silence, late
// replies, cut connections, crowds. What must hold: done is called exactly once, in time; a late
// reply touches nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_scene.h"
#include "tests/support/table.h"

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
    assert_int_equal(store_counters(scene.store)->late, 1);
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

static const struct unasked_row {
    const char *name;
    const char *raw;
} UNASKED[] = {
    {"an error nobody asked for", "-ERR max number of clients reached\r\n"},
    {"a word nobody asked for", "+HELLO\r\n"},
    {"a list nobody asked for", "*2\r\n$1\r\na\r\n:1\r\n"},
    {"half a reply", "$100\r\nabc"},
    {"no protocol", "\x01\x02\r\n"},
};

// hiredis 0.14 asserts that there is a question to every answer; a server's mistake must not end
// the node.
static void check_unasked(void **state)
{
    const struct unasked_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene_up(&scene);
    stage_until(&scene.stage, admin_is_up, scene.store);
    stage_run(&scene.stage, 20);
    for (unsigned i = 0; i < FAKE_PEERS; i++) {
        if (scene.fake->peer[i].fd >= 0)
            fake_say(&scene.fake->peer[i], row->raw);
    }
    stage_run(&scene.stage, 50);
    fake_hang_up_all(scene.fake); // whatever it made of that
    stage_until(&scene.stage, is_disconnected, scene.store);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
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
    TABLE_ROWS(&table, UNASKED, check_unasked);
    return table_run(&table, "a store that is late");
}
