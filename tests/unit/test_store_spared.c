// Spared clients in a real redis-server: what an accept writes, what that makes of a client at this node and
// at another, how the roll is read, what an operator takes away, and anything in it that is not ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_scene.h"
#include "tests/support/table.h"

#define CLIENT "192.0.2.1"
#define NAME   "w:" CLIENT

enum { NOTES_AT_ONCE = 256 };

static const uint64_t LIFE_MS = SPARED_LIFE_DAYS * SPARED_DAY_MS;

static uint64_t today(const struct scene *scene)
{
    return spared_day(store_now_ms(scene->store));
}

// ---- what is written

static bool nothing_is_noted(void *store)
{
    return ((struct store *)store)->note_count == 0;
}

static bool has_read_the_roll(void *store)
{
    return ((struct store *)store)->reading.is_known;
}

static void spared_scene_open(struct scene *scene)
{
    scene_open(scene);
    stage_until(&scene->stage, has_read_the_roll, scene->store);
}

static struct spared_news news_of(const struct scene *scene, uint8_t pair, enum spared_cause cause)
{
    return (struct spared_news){{pair}, cause, store_now_ms(scene->store), LIFE_MS};
}

static void begin_note(struct scene *scene, uint8_t pair, enum spared_cause cause)
{
    const struct spared_news news = news_of(scene, pair, cause);

    store_spared_note(scene->store, NAME, &news);
}

static void note(struct scene *scene, uint8_t pair, enum spared_cause cause)
{
    begin_note(scene, pair, cause);
    stage_until(&scene->stage, nothing_is_noted, scene->store);
}

// Pairs first, first + 1, ... of that many days ago.
static void put_evidence(struct scene *scene, unsigned first, unsigned pairs, unsigned ago)
{
    for (unsigned i = 0; i < pairs; i++)
        stage_do(&scene->stage, "HSET " NAME " pair%04u %llu", first + i,
                 (unsigned long long)today(scene) - ago);
}

static bool is_spared(void *store)
{
    return store_spared(store, NAME).newest != 0;
}

static bool is_not_spared(void *store)
{
    return !is_spared(store);
}

static void a_pass_is_evidence_and_no_more(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    note(&scene, 1, SPARED_PASSED);
    assert_int_equal(stage_number(&scene.stage, "HLEN " NAME), 1);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME " NAME),
                     (today(&scene) + 37) * SPARED_DAY_MS / 1000);
    assert_int_equal(stage_number(&scene.stage, "EXISTS spared:{p}"), 0);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 1);
    assert_false(is_spared(scene.store));
    note(&scene, 1, SPARED_PASSED); // the same pair again
    assert_int_equal(stage_number(&scene.stage, "HLEN " NAME), 1);
    assert_int_equal(store_counters(scene.store)->lost_writes, 0);
    scene_close(&scene);
}

static void the_one_that_is_missing_spares_it(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 4, 1);
    note(&scene, 1, SPARED_PASSED);
    const struct spared_row row = store_spared(scene.store, NAME);

    assert_int_equal(row.rests, today(&scene) - 1);
    assert_int_equal(row.newest, today(&scene));
    assert_int_equal(store_spared_count(scene.store), 1);
    settle(&scene);
    stage_run(&scene.stage, 50);
    assert_int_equal(stage_number(&scene.stage, "HLEN spared:{p}"), 1);
    assert_int_equal(stage_number(&scene.stage, "HSTRLEN spared:{p} " CLIENT), 11);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME spared:{p}"),
                     (today(&scene) + 37) * SPARED_DAY_MS / 1000);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 2);
    note(&scene, 2, SPARED_PASSED); // another one of today says nothing new of it
    stage_run(&scene.stage, 50);
    assert_int_equal(stage_number(&scene.stage, "HLEN " NAME), 6);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 2);
    scene_close(&scene);
}

// The recipients of one message pass at once, and none of them sees the other's pair before it writes.
static void pairs_that_pass_at_once_count_together(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 2, 1);
    for (uint8_t i = 1; i <= 3; i++)
        begin_note(&scene, i, SPARED_PASSED);
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    assert_true(is_spared(scene.store));
    scene_close(&scene);
}

static void what_gives_way_is_removed(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 10, 40);
    put_evidence(&scene, 10, 16, 1);
    note(&scene, 1, SPARED_PASSED);
    assert_int_equal(stage_number(&scene.stage, "HLEN " NAME), 16);
    assert_int_equal(store_spared(scene.store, NAME).rests, today(&scene) - 1);
    scene_close(&scene);
}

static void with_replay_nothing_expires(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 4, 1);
    scene.stage.config.replay = true;
    note(&scene, 1, SPARED_PASSED);
    stage_run(&scene.stage, 50);
    assert_int_equal(stage_number(&scene.stage, "TTL " NAME), -1);
    assert_int_equal(stage_number(&scene.stage, "TTL spared:{p}"), -1);
    scene_close(&scene);
}

static void a_mail_renews_it_once(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 4, 2);
    put_evidence(&scene, 4, 1, 1);
    uint64_t before = store_counters(scene.store)->commands;

    for (uint8_t i = 0; i < 100; i++)
        begin_note(&scene, i, SPARED_SPARED);
    assert_int_equal(store_counters(scene.store)->commands, before + 1);
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    assert_int_equal(stage_number(&scene.stage, "HLEN " NAME), 6);
    assert_int_equal(store_spared(scene.store, NAME).rests, today(&scene) - 2);
    assert_int_equal(store_spared(scene.store, NAME).newest, today(&scene));
    scene_close(&scene);
}

// The evidence is gone, and the row is not: as after a forgetting that a pass crossed.
static void a_row_without_evidence_goes_with_the_next_mail(void **state)
{
    const struct spared_row row = {19000, 19001};
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 3, 1);
    roll_set(&scene.store->roll, CLIENT, &row);
    stage_do(&scene.stage, "HSET spared:{p} " CLIENT " 19000_19001");
    note(&scene, 1, SPARED_SPARED);
    stage_run(&scene.stage, 50);
    assert_false(is_spared(scene.store));
    assert_int_equal(stage_number(&scene.stage, "EXISTS spared:{p}"), 0);
    assert_int_equal(stage_number(&scene.stage, "HLEN " NAME),
                     3); // only what was earned is renewed
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 2);
    scene_close(&scene);
}

static void more_than_may_be_under_way_is_lost_and_counted(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    for (unsigned i = 0; i < NOTES_AT_ONCE + 3; i++) {
        struct spared_news news = news_of(&scene, 1, SPARED_PASSED);

        memcpy(news.pair, &i, sizeof(i));
        store_spared_note(scene.store, NAME, &news);
    }
    assert_int_equal(store_counters(scene.store)->lost_writes, 3);
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    assert_int_equal(store_counters(scene.store)->lost_writes, 3);
    note(&scene, 1, SPARED_PASSED);
    assert_int_equal(store_counters(scene.store)->lost_writes, 3);
    scene_close(&scene);
}

static void what_cannot_be_written_is_lost_and_makes_nobody_spared(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 4, 1);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    note(&scene, 1, SPARED_PASSED);
    assert_int_equal(store_counters(scene.store)->lost_writes, 1);
    assert_false(is_spared(scene.store));
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    begin_note(&scene, 1, SPARED_PASSED);
    assert_int_equal(scene.store->note_count, 0);
    assert_int_equal(store_counters(scene.store)->lost_writes, 2);
    scene_close(&scene);
}

static void what_is_under_way_at_the_end_is_given_up(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    for (uint8_t i = 0; i < 10; i++)
        begin_note(&scene, i, SPARED_PASSED);
    assert_int_equal(scene.store->note_count, 10);
    scene_close(&scene); // nothing is left, says the sanitizer
}

static const struct garbage_row {
    const char *name;
    const char *command; // that puts it there
} GARBAGE[] = {
    {"a field too short", "HSET " NAME " 1234567 20000"},
    {"a field too long", "HSET " NAME " 123456789 20000"},
    {"no number", "HSET " NAME " 12345678 monday"},
    {"nothing", "HSET " NAME " 12345678 "},
    {"a negative number", "HSET " NAME " 12345678 -1"},
    {"a number behind the end of days", "HSET " NAME " 12345678 4294967296"},
    {"a number beyond all", "HSET " NAME " 12345678 99999999999999999999"},
    {"one that is ours and one that is not", "HSET " NAME " 12345678 20000 x y"},
    {"no hash", "SET " NAME " x"},
};

struct found {
    unsigned calls;
    enum store_state state;
    struct spared_client client;
    struct spared_row row;
};

static void found_client(void *arg, enum store_state state, const struct spared_client *client,
                         const struct spared_row *row)
{
    struct found *found = arg;

    found->calls++;
    found->state = state;
    found->client = *client;
    found->row = *row;
}

static bool is_found(void *found)
{
    return ((struct found *)found)->calls > 0;
}

static struct found look(struct scene *scene,
                         void (*ask)(struct store *, const char *, struct spared_done))
{
    struct found found = {.calls = 0};

    ask(scene->store, NAME, (struct spared_done){found_client, &found});
    stage_until(&scene->stage, is_found, &found);
    assert_int_equal(found.calls, 1);
    return found;
}

static void check_garbage(void **state)
{
    const struct garbage_row *row = *state;
    struct scene scene;

    spared_scene_open(&scene);
    if (strcmp(row->name, "nothing") == 0)
        stage_do(&scene.stage, "HSET " NAME " 12345678 %s", "");
    else
        stage_do(&scene.stage, row->command);
    note(&scene, 1, SPARED_PASSED);
    assert_int_equal(store_counters(scene.store)->lost_writes, 1);
    assert_false(is_spared(scene.store));
    assert_int_equal(look(&scene, store_spared_show).state, STORE_ERROR);
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] > 0);
    scene_close(&scene);
}

static void more_pairs_than_are_read_are_no_trouble(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 3 * SPARED_READ_MAX, 1);
    assert_int_equal(look(&scene, store_spared_show).client.count, SPARED_READ_MAX);
    note(&scene, 1, SPARED_PASSED);
    assert_int_equal(store_counters(scene.store)->lost_writes, 0);
    scene_close(&scene);
}

// ---- several nodes

static struct store *second_node(struct scene *scene)
{
    struct store *other = stage_store(&scene->stage, &scene->stage.config);

    stage_until_state(&scene->stage, other, STORE_UP);
    stage_until(&scene->stage, follows_events, other);
    stage_until(&scene->stage, has_read_the_roll, other);
    return other;
}

static void every_node_hears_of_it_and_of_its_end(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    struct store *other = second_node(&scene);

    put_evidence(&scene, 0, 4, 1);
    note(&scene, 1, SPARED_PASSED);
    uint64_t told_ms = clock_mono_ms();

    stage_until(&scene.stage, is_spared, other);
    assert_in_range(clock_mono_ms() - told_ms, 0, 1000 + 500); // and what a busy machine adds
    assert_int_equal(store_spared(other, NAME).rests, today(&scene) - 1);
    const struct found found = look(&scene, store_spared_forget);

    told_ms = clock_mono_ms();
    assert_int_equal(found.state, STORE_UP);
    assert_int_equal(found.client.count, 5);
    assert_int_equal(found.row.newest, today(&scene));
    assert_false(is_spared(scene.store)); // at once
    stage_until(&scene.stage, is_not_spared, other);
    assert_in_range(clock_mono_ms() - told_ms, 0, 1000 + 500);
    assert_int_equal(stage_number(&scene.stage, "EXISTS " NAME " spared:{p}"), 0);
    store_free(&other);
    scene_close(&scene);
}

static void a_node_that_starts_reads_all_of_them(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    stage_do(&scene.stage, "EVAL %s 0 %llu",
             "for i = 1, 5000 do redis.call('hset', 'spared:{p}', 'spf:c' .. i, "
             "ARGV[1] - 1 .. ' ' .. ARGV[1]) end",
             (unsigned long long)today(&scene));
    struct store *other = second_node(&scene);

    assert_int_equal(store_spared_count(other), 5000); // more than a slice
    assert_int_equal(store_spared(other, "w:spf:c4711").newest, today(&scene));
    assert_int_equal(store_spared(other, "w:spf:c5001").newest, 0);
    stage_do(&scene.stage, "HDEL spared:{p} spf:c4711"); // by hand
    other->reading.scan.due_ms = 0;
    other->reading.is_known = false;
    stage_until(&scene.stage, has_read_the_roll, other);
    assert_int_equal(store_spared_count(other), 4999);
    assert_int_equal(store_spared(other, "w:spf:c4711").newest, 0);
    store_free(&other);
    scene_close(&scene);
}

static void a_node_that_could_not_read_them_spares_nobody(void **state)
{
    struct scene scene;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    stage_redis(&scene.stage, NULL);
    stage_do(&scene.stage, "SET spared:{p} x");
    scene_begin(&scene);
    stage_do(&scene.stage, "XADD events:{p} * kind spared client " CLIENT " rests %llu day %llu",
             (unsigned long long)today(&scene), (unsigned long long)today(&scene));
    stage_run(&scene.stage, 3 * EVENTS_POLL_MS);
    assert_int_equal(store_spared_count(scene.store), 1); // heard of, and yet
    assert_false(is_spared(scene.store));
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] > 0);
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] < 5); // it does not ask like mad
    stage_do(&scene.stage, "DEL spared:{p}");
    stage_do(&scene.stage, "HSET spared:{p} " CLIENT " %s", "20000 99999"); // and this is none
    scene.store->reading.scan.due_ms = 0;
    stage_until(&scene.stage, has_read_the_roll, scene.store);
    assert_int_equal(store_spared_count(scene.store), 0);
    scene_close(&scene);
}

static void what_is_over_is_removed_by_whoever_reads_it(void **state)
{
    struct scene scene;
    char value[ROLL_VALUE_MAX];

    (void)state;
    spared_scene_open(&scene);
    uint32_t day = (uint32_t)today(&scene);

    roll_value(&(struct spared_row){day - 37, day - 1}, value);
    stage_do(&scene.stage, "HSET spared:{p} over %s", value);
    roll_value(&(struct spared_row){day - 36, day - 1}, value);
    stage_do(&scene.stage, "HSET spared:{p} " CLIENT " %s", value);
    stage_do(&scene.stage, "HSET spared:{p} odd monday");
    scene.store->reading.scan.due_ms = 0;
    scene.store->reading.is_known = false;
    stage_until(&scene.stage, has_read_the_roll, scene.store);
    stage_run(&scene.stage, 50);
    assert_int_equal(store_spared_count(scene.store), 1);
    assert_true(is_spared(scene.store));
    assert_int_equal(stage_number(&scene.stage, "HEXISTS spared:{p} over"), 0);
    assert_int_equal(stage_number(&scene.stage, "HLEN spared:{p}"), 2); // what is not ours stays
    scene_close(&scene);
}

static void an_event_from_far_ahead_is_not_believed(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    uint64_t seen = store_counters(scene.store)->events_seen;

    stage_do(&scene.stage, "XADD events:{p} * kind spared client " CLIENT " rests 1 day %llu",
             (unsigned long long)today(&scene) + 37);
    for (unsigned i = 0; i < 500 && store_counters(scene.store)->events_seen == seen; i++)
        stage_run(&scene.stage, 10);
    assert_int_equal(store_counters(scene.store)->events_seen, seen + 1);
    assert_int_equal(store_spared_count(scene.store), 0);
    scene_close(&scene);
}

static void while_the_store_is_away_who_is_spared_is_spared(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 4, 1);
    note(&scene, 1, SPARED_PASSED);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    stage_run(&scene.stage, EVENTS_TRUST_MS);
    assert_true(is_spared(scene.store));
    assert_int_equal(look(&scene, store_spared_show).state, STORE_DOWN);
    assert_int_equal(look(&scene, store_spared_forget).state, STORE_DOWN);
    assert_true(is_spared(scene.store));
    scene_close(&scene);
}

// ---- what an operator takes away

static void what_is_forgotten_is_gone_and_nothing_else(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 15, 1);
    note(&scene, 1, SPARED_PASSED);
    stage_do(&scene.stage, "HSET w:192.0.2.2 12345678 20000");
    assert_int_equal(look(&scene, store_spared_show).row.newest, today(&scene));
    assert_int_equal(look(&scene, store_spared_forget).client.count, 16);
    const struct found again = look(&scene, store_spared_forget);

    assert_int_equal(again.client.count + again.row.newest, 0);
    assert_int_equal(stage_number(&scene.stage, "EXISTS " NAME), 0);
    assert_int_equal(stage_number(&scene.stage, "HLEN w:192.0.2.2"), 1);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 4); // told all the same
    scene_close(&scene);
}

static void a_row_alone_is_forgotten_as_well(void **state)
{
    const struct spared_row row = {20000, 20001};
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    roll_set(&scene.store->roll, CLIENT, &row);
    const struct found found = look(&scene, store_spared_forget);

    assert_int_equal(found.client.count, 0);
    assert_int_equal(found.row.newest, 20001);
    assert_false(is_spared(scene.store));
    scene_close(&scene);
}

static void who_cannot_tell_the_others_says_so(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 4, 1);
    note(&scene, 1, SPARED_PASSED);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1"); // HDEL works, XADD is refused
    const struct found found = look(&scene, store_spared_forget);

    assert_int_equal(found.state, STORE_FULL);
    assert_int_equal(found.client.count, 5);
    assert_false(is_spared(scene.store));
    scene_close(&scene);
}

static void rights_of_before_spare_nobody_and_defer_as_ever(void **state)
{
    struct scene scene;

    (void)state;
    spared_scene_open(&scene);
    put_evidence(&scene, 0, 4, 1);
    stage_do(&scene.stage, "ACL SETUSER default resetkeys ~g:* ~p:* ~meta ~events:{p}");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    note(&scene, 1, SPARED_PASSED);
    assert_false(is_spared(scene.store));
    assert_int_equal(store_state(scene.store), STORE_UP);
    assert_int_equal(look(&scene, store_spared_forget).state, STORE_DENIED);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, a_pass_is_evidence_and_no_more);
    TABLE_TEST(&table, the_one_that_is_missing_spares_it);
    TABLE_TEST(&table, pairs_that_pass_at_once_count_together);
    TABLE_TEST(&table, what_gives_way_is_removed);
    TABLE_TEST(&table, with_replay_nothing_expires);
    TABLE_TEST(&table, a_mail_renews_it_once);
    TABLE_TEST(&table, a_row_without_evidence_goes_with_the_next_mail);
    TABLE_TEST(&table, more_than_may_be_under_way_is_lost_and_counted);
    TABLE_TEST(&table, what_cannot_be_written_is_lost_and_makes_nobody_spared);
    TABLE_TEST(&table, what_is_under_way_at_the_end_is_given_up);
    TABLE_ROWS(&table, GARBAGE, check_garbage);
    TABLE_TEST(&table, more_pairs_than_are_read_are_no_trouble);
    TABLE_TEST(&table, every_node_hears_of_it_and_of_its_end);
    TABLE_TEST(&table, a_node_that_starts_reads_all_of_them);
    TABLE_TEST(&table, a_node_that_could_not_read_them_spares_nobody);
    TABLE_TEST(&table, what_is_over_is_removed_by_whoever_reads_it);
    TABLE_TEST(&table, an_event_from_far_ahead_is_not_believed);
    TABLE_TEST(&table, while_the_store_is_away_who_is_spared_is_spared);
    TABLE_TEST(&table, what_is_forgotten_is_gone_and_nothing_else);
    TABLE_TEST(&table, a_row_alone_is_forgotten_as_well);
    TABLE_TEST(&table, who_cannot_tell_the_others_says_so);
    TABLE_TEST(&table, rights_of_before_spare_nobody_and_defer_as_ever);
    return table_run(&table, "spared clients in Redis");
}
