// The bans of clients that harvest, in a real redis-server: how all of them are read, whatever stands there, and what an
// operator is shown and takes away. How they come about is test_store_harvest.c.
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

// ---- reading all of them

static void put_ban(struct scene *scene, const char *name, long long until, long long since)
{
    const long long now_ms = (long long)store_now_ms(scene->store);
    char value[128];

    (void)snprintf(value, sizeof(value), "%lld %lld 9 1", now_ms + until, now_ms + since);
    stage_do(&scene->stage, "HSET bans:{p} %s %s", name, value);
}

static bool has_other_bans(void *arg)
{
    return store_ban_count(arg) == 3;
}

static void all_of_them_are_read(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    put_ban(&scene, CLIENT, 60000, -1000);
    put_ban(&scene, "192.0.2.2", 600000, -1000);
    put_ban(&scene, "2001:db8:1:2::/64", 600000, -1000);
    put_ban(&scene, "192.0.2.3", -1000, -2000); // over, but it makes the next one longer
    put_ban(&scene, "192.0.2.4", -25 * 3600 * 1000LL, -26 * 3600 * 1000LL); // says nothing any more
    put_ban(&scene, "192.0.2.0/24", 60000, -1000);
    put_ban(&scene, "eve", 60000, -1000);
    stage_do(&scene.stage, "HSET bans:{p} 192.0.2.5 forever");
    struct store *other = another(&scene);

    stage_until(&scene.stage, has_other_bans, other);
    assert_true(is_banned(other));
    assert_int_equal(store_counters(other)->errors[STORE_ERROR] % 3,
                     0); // a node reads them twice when it joins
    assert_true(store_counters(other)->errors[STORE_ERROR] > 0);
    stage_run(&scene.stage, 50);
    assert_int_equal(stage_number(&scene.stage, "HEXISTS bans:{p} 192.0.2.4"), 0);
    assert_int_equal(stage_number(&scene.stage, "HLEN bans:{p}"), 7);
    stage_do(&scene.stage, "DEL bans:{p}");
    other->harvesting.reading.due_ms = 0; // it is time
    stage_until(&scene.stage, is_not_banned, other);
    assert_int_equal(store_ban_count(other), 0);
    store_free(&other);
    scene_close(&scene);
}

// ---- what an operator asks

struct heard {
    unsigned calls;
    enum store_state state;
    struct store_banned found;
};

static void told(void *arg, enum store_state state, const struct store_banned *found)
{
    struct heard *heard = arg;

    heard->calls++;
    heard->state = state;
    heard->found = *found;
}

static bool was_heard(void *arg)
{
    return ((struct heard *)arg)->calls > 0;
}

static struct heard ask(struct scene *scene,
                        void (*fn)(struct store *, const struct ip_net *, struct store_ban_done))
{
    const struct ip_net one = client();
    struct heard heard = {.calls = 0};

    fn(scene->store, &one, (struct store_ban_done){told, &heard});
    stage_until(&scene->stage, was_heard, &heard);
    assert_int_equal(heard.calls, 1);
    return heard;
}

static void a_ban_is_shown_and_lifted_everywhere(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    struct store *other = another(&scene);
    struct heard heard = ask(&scene, store_ban_show);

    assert_int_equal(heard.state, STORE_UP);
    assert_int_equal(heard.found.ban.until_ms, 0);
    hear(scene.store, HARVEST_HEARD_MS);
    name_and_wait(&scene, HARVEST_EXISTING, 100, 2);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 8);
    stage_until(&scene.stage, is_banned, other);
    heard = ask(&scene, store_ban_show);
    assert_int_equal(heard.found.ban.count.unknown, 8);
    assert_int_equal(heard.found.hour.unknown, 8);
    assert_int_equal(heard.found.hour.existing, 2);
    heard = ask(&scene, store_ban_lift);
    assert_int_equal(heard.state, STORE_UP);
    assert_true(heard.found.is_lifted);
    assert_int_equal(heard.found.ban.count.unknown, 8);
    assert_false(is_banned(scene.store));
    stage_until(&scene.stage, is_not_banned, other);
    assert_int_equal(stage_number(&scene.stage, "EXISTS bans:{p}"), 0);
    assert_int_equal(length(&scene, HARVEST_UNKNOWN) + length(&scene, HARVEST_EXISTING), 0);
    name_and_wait(&scene, HARVEST_UNKNOWN, 0, 1); // from the beginning
    assert_int_equal(length(&scene, HARVEST_UNKNOWN), 1);
    store_free(&other);
    scene_close(&scene);
}

static void a_list_is_what_the_node_heeds(void **state)
{
    const struct ip_net any = {.bits = 0};
    struct store_banned row[4];
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    put_ban(&scene, CLIENT, 60000, -1000);
    put_ban(&scene, "192.0.2.2", 600000, -1000);
    put_ban(&scene, "2001:db8:1:2::/64", 600000, -1000);
    scene.store->harvesting.reading.due_ms = 0;
    stage_until(&scene.stage, has_other_bans, scene.store);
    stage_kill(&scene.stage);
    assert_int_equal(store_ban_list(scene.store, &any, &any, row, 4), 3);
    assert_int_equal(store_ban_list(scene.store, &any, &row[0].client, row, 1), 1);
    assert_int_equal(row[0].client.ip.bytes[3], 2);
    scene_close(&scene);
}

static void without_a_store_nothing_is_known_or_lifted(void **state)
{
    struct scene scene;

    (void)state;
    harvest_scene_open(&scene);
    stage_do(&scene.stage, "HSET bans:{p} " CLIENT " forever");
    struct heard heard = ask(&scene, store_ban_show);

    assert_int_equal(heard.state, STORE_ERROR);
    assert_int_equal(heard.found.ban.until_ms, 0);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1"); // removes, and takes no event
    heard = ask(&scene, store_ban_lift);
    assert_int_equal(heard.state, STORE_FULL);
    assert_true(heard.found.is_lifted);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    heard = ask(&scene, store_ban_lift);
    assert_int_equal(heard.state, STORE_DOWN);
    assert_false(heard.found.is_lifted);
    assert_int_equal(ask(&scene, store_ban_show).state, STORE_DOWN);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, all_of_them_are_read);
    TABLE_TEST(&table, a_ban_is_shown_and_lifted_everywhere);
    TABLE_TEST(&table, a_list_is_what_the_node_heeds);
    TABLE_TEST(&table, without_a_store_nothing_is_known_or_lifted);
    return table_run(&table, "store_bans");
}
