// Clients that harvest, in a real redis-server: what a recipient that is named costs, who is suspect, that every node has its
// say before anybody is banned, how long a ban is, and what other nodes hear of it.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/harvest_scene.h"
#include "tests/support/table.h"

// ---- notes

static void who_names_what_exists_costs_nothing(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    const uint64_t before = store_counters(scene.store)->commands;

    for (unsigned i = 0; i < 20; i++)
        name_them(&scene, scene.store, HARVEST_EXISTING, i * 40, 40);
    assert_int_equal(store_counters(scene.store)->commands, before);
    scene_close(&scene);
}

static void what_does_not_exist_is_counted_once(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    uint64_t before = store_counters(scene.store)->commands;

    name_them(&scene, scene.store, HARVEST_UNKNOWN, 0, 1);
    assert_int_equal(store_counters(scene.store)->commands, before + 3); // HSET, EXPIREAT, HLEN
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    assert_int_equal(length(&scene, HARVEST_UNKNOWN), 1);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME %s", key(&scene, HARVEST_UNKNOWN)),
                     harvest_expiry_ms(this_hour(&scene).hour) / 1000);
    before = store_counters(scene.store)->commands;
    name_them(&scene, scene.store, HARVEST_UNKNOWN, 0, 1);
    assert_int_equal(store_counters(scene.store)->commands, before);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 1);
    scene_close(&scene);
}

static void a_quarter_makes_it_suspect(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    name_and_wait(&scene, HARVEST_EXISTING, 100, 3);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 1);
    stage_run(&scene.stage, 2 * EVENTS_POLL_MS);
    assert_false(is_suspect(scene.store));
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 1);
    name_and_wait(&scene, HARVEST_UNKNOWN, 1, 1);
    stage_until(&scene.stage, is_suspect, scene.store);
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    assert_int_equal(length(&scene, HARVEST_EXISTING), 3);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME %s", key(&scene, HARVEST_EXISTING)),
                     harvest_expiry_ms(this_hour(&scene).hour) / 1000);
    name_and_wait(&scene, HARVEST_EXISTING, 102, 2); // from now on each
    assert_int_equal(length(&scene, HARVEST_EXISTING), 4);
    name_and_wait(&scene, HARVEST_UNKNOWN, 2, 3); // it is told once
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 2);
    assert_false(is_banned(scene.store));
    scene_close(&scene);
}

static void with_replay_nothing_expires(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    scene.stage.config.replay = true;
    hear(scene.store, HARVEST_HEARD_MS);
    name_and_wait(&scene, HARVEST_EXISTING, 100, 1);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    stage_until(&scene.stage, is_banned, scene.store);
    assert_int_equal(stage_number(&scene.stage, "TTL %s", key(&scene, HARVEST_UNKNOWN)), -1);
    assert_int_equal(stage_number(&scene.stage, "TTL %s", key(&scene, HARVEST_EXISTING)), -1);
    assert_int_equal(stage_number(&scene.stage, "TTL bans:{p}"), -1);
    scene_close(&scene);
}

// ---- bans

static void nobody_is_banned_before_every_node_was_heard(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    struct store *other = another(&scene);
    const uint64_t began_ms = clock_mono_ms();

    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    stage_until(&scene.stage, is_banned, scene.store);
    assert_true(clock_mono_ms() - began_ms >= HARVEST_HEARD_MS);
    stage_until(&scene.stage, is_banned, other);
    const struct ip_net one = client();
    const struct harvest_ban ban = store_ban(other, &one);

    assert_int_equal(ban.until_ms - ban.since_ms, 300000);
    assert_int_equal(ban.count.unknown, 8);
    assert_int_equal(ban.count.existing, 0);
    assert_int_equal(store_ban_count(other), 1);
    assert_int_equal(store_counters(scene.store)->bans, 1);
    assert_int_equal(store_counters(other)->bans, 0);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME bans:{p}"),
                     (bans_expiry_ms(ban.since_ms) + 999) / 1000);
    assert_int_equal(stage_number(&scene.stage, "XLEN events:{p}"), 3);
    store_free(&other);
    scene_close(&scene);
}

static void what_another_node_knows_speaks_for_it(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    struct store *other = another(&scene);

    name_them(&scene, other, HARVEST_EXISTING, 100, 8);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    stage_until(&scene.stage, is_suspect, other);
    stage_until(&scene.stage, nothing_is_noted, other);
    stage_run(&scene.stage, HARVEST_HEARD_MS + 2 * EVENTS_POLL_MS);
    assert_int_equal(length(&scene, HARVEST_EXISTING), 8);
    assert_int_equal(scene.store->harvesting.due_count, 0);
    assert_false(is_banned(scene.store));
    name_and_wait(&scene, HARVEST_UNKNOWN, 8,
                  1); // now it is more than half, and everybody was heard
    stage_until(&scene.stage, is_banned, scene.store);
    store_free(&other);
    scene_close(&scene);
}

static void who_came_later_is_heard_as_well(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 7);
    stage_until(&scene.stage, is_suspect, scene.store);
    struct store *other = another(&scene); // has heard nothing of it

    hear(scene.store, HARVEST_FRESH_MS);
    name_them(&scene, other, HARVEST_EXISTING, 100, 8);
    name_and_wait(&scene, HARVEST_UNKNOWN, 7, 1);
    assert_int_equal(scene.store->harvesting.due_count, 1);
    stage_until(&scene.stage, is_suspect, other);
    stage_run(&scene.stage, HARVEST_HEARD_MS + 3 * EVENTS_POLL_MS);
    assert_int_equal(scene.store->harvesting.due_count, 0);
    assert_false(is_banned(scene.store));
    store_free(&other);
    scene_close(&scene);
}

static void two_nodes_that_find_the_same_ban_once(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    struct store *other = another(&scene);

    hear(scene.store, HARVEST_HEARD_MS);
    hear(other, HARVEST_HEARD_MS);
    name_them(&scene, scene.store, HARVEST_UNKNOWN, 0, 8);
    name_them(&scene, other, HARVEST_UNKNOWN, 4, 8);
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    stage_until(&scene.stage, nothing_is_noted, other);
    stage_until(&scene.stage, is_banned, scene.store);
    stage_until(&scene.stage, is_banned, other);
    const struct ip_net one = client();
    const struct harvest_ban ban = store_ban(scene.store, &one);
    const struct harvest_ban same = store_ban(other, &one);

    assert_int_equal(ban.until_ms - ban.since_ms, 300000);
    assert_memory_equal(&ban, &same, sizeof(ban));
    assert_int_equal(length(&scene, HARVEST_UNKNOWN), 12);
    store_free(&other);
    scene_close(&scene);
}

// What stands in the store, now and then: as in core/harvest.h, whatever it is.
static const struct script_row {
    const char *name;
    const char *value; // with the moments from now, or as it is
    bool is_literal;
    long long until, since;
} SCRIPTS[] = {
    {"nothing", NULL, false, 0, 0},
    {"a ban that holds", "", false, 60000, -240000},
    {"one that is over", "", false, -1000, -301000},
    {"one of forty minutes", "", false, -1000, -2401000},
    {"of an hour", "", false, -1000, -3601000},
    {"a day ago, nearly", "", false, 5000 - 24 * 3600 * 1000LL, -5000 - 24 * 3600 * 1000LL},
    {"more than a day ago", "", false, -25 * 3600 * 1000LL, -26 * 3600 * 1000LL},
    {"the longest that is believed", "", false, -1000, -1000 - 24 * 3600 * 1000LL},
    {"longer than any is believed", "", false, 60000, 59999 - 24 * 3600 * 1000LL},
    {"ends before it begins", "", false, 60000, 60001},
    {"a word", "forever", true, 0, 0},
    {"too many digits", "9999999999999999 9999999999999998 1 1", true, 0, 0},
    {"three numbers", "9999999999999 9999999999998 1", true, 0, 0},
    {"since the beginning", "1000 0 1 1", true, 0, 0},
    {"empty", "", true, 0, 0},
};

static void put_old(struct scene *scene, const struct script_row *row, char value[128])
{
    const long long now_ms = (long long)store_now_ms(scene->store);

    if (row->is_literal)
        (void)snprintf(value, 128, "%s", row->value);
    else
        (void)snprintf(value, 128, "%lld %lld 9 1", now_ms + row->until, now_ms + row->since);
    stage_do(&scene->stage, "HSET bans:{p} " CLIENT " %s", value);
}

static void run_script(struct scene *scene, const struct script_row *row)
{
    const uint64_t bans = store_counters(scene->store)->bans;
    const struct harvest_count count = {8, 0};
    struct harvest_ban old = {.until_ms = 0};
    const struct ip_net one = client();
    char value[128] = "";

    stage_do(&scene->stage, "DEL bans:{p} %s", key(scene, HARVEST_UNKNOWN));
    bans_heard(scene->store, &one, &old);
    if (row->value != NULL)
        put_old(scene, row, value);
    if (!harvest_ban_read(value, &old))
        old = (struct harvest_ban){0};
    hear(scene->store, HARVEST_HEARD_MS);
    name_and_wait(scene, HARVEST_UNKNOWN, 0, 8);
    stage_until(&scene->stage, is_banned, scene->store);
    const struct harvest_ban ban = store_ban(scene->store, &one);
    const bool holds = ban.since_ms < old.until_ms;
    const struct harvest_ban wanted = harvest_ban_next(&old, &BOUNDS, &count, ban.since_ms);

    if (memcmp(&ban, &wanted, sizeof(ban)) != 0)
        fail_msg("%s: %" PRIu64 " ms", row->name, ban.until_ms - ban.since_ms);
    assert_int_equal(store_counters(scene->store)->bans, bans + !holds);
}

static void the_script_says_what_the_table_does(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    for (size_t i = 0; i < sizeof(SCRIPTS) / sizeof(SCRIPTS[0]); i++)
        run_script(&scene, &SCRIPTS[i]);
    assert_int_equal(store_counters(scene.store)->lost_writes, 0);
    scene_close(&scene);
}

static void a_ban_that_is_no_hash_is_none(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    stage_do(&scene.stage, "SET bans:{p} x");
    hear(scene.store, HARVEST_HEARD_MS);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    assert_false(is_banned(scene.store));
    assert_int_equal(store_counters(scene.store)->lost_writes, 1);
    scene_close(&scene);
}

// ---- trouble

static void what_cannot_be_written_is_lost_and_news_again(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    assert_int_equal(store_counters(scene.store)->lost_writes, 1);
    assert_int_equal(length(&scene, HARVEST_UNKNOWN), 0);
    assert_int_equal(scene.store->harvesting.due_count, 0);
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    assert_int_equal(length(&scene, HARVEST_UNKNOWN), 8);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    name_them(&scene, scene.store, HARVEST_UNKNOWN, 20, 1);
    name_them(&scene, scene.store, HARVEST_UNKNOWN, 20, 1);
    assert_int_equal(store_counters(scene.store)->lost_writes, 3);
    assert_int_equal(scene.store->harvesting.work_count, 0);
    scene_close(&scene);
}

static void more_than_may_be_under_way_is_lost_and_counted(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    for (unsigned i = 0; i < HARVEST_WORK_MAX + 3; i++)
        name_them(&scene, scene.store, HARVEST_UNKNOWN, i, 1);
    assert_int_equal(store_counters(scene.store)->lost_writes, 3);
    stage_until(&scene.stage, nothing_is_noted, scene.store);
    assert_int_equal(length(&scene, HARVEST_UNKNOWN), HARVEST_WORK_MAX);
    scene_close(&scene);
}

static void a_ban_holds_while_the_store_is_away(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    hear(scene.store, HARVEST_HEARD_MS);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    stage_until(&scene.stage, is_banned, scene.store);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_true(is_banned(scene.store));
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, who_names_what_exists_costs_nothing);
    TABLE_TEST(&table, what_does_not_exist_is_counted_once);
    TABLE_TEST(&table, a_quarter_makes_it_suspect);
    TABLE_TEST(&table, with_replay_nothing_expires);
    TABLE_TEST(&table, nobody_is_banned_before_every_node_was_heard);
    TABLE_TEST(&table, what_another_node_knows_speaks_for_it);
    TABLE_TEST(&table, who_came_later_is_heard_as_well);
    TABLE_TEST(&table, two_nodes_that_find_the_same_ban_once);
    TABLE_TEST(&table, the_script_says_what_the_table_does);
    TABLE_TEST(&table, a_ban_that_is_no_hash_is_none);
    TABLE_TEST(&table, what_cannot_be_written_is_lost_and_news_again);
    TABLE_TEST(&table, more_than_may_be_under_way_is_lost_and_counted);
    TABLE_TEST(&table, a_ban_holds_while_the_store_is_away);
    return table_run(&table, "store_harvest");
}
