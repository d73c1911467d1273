// Spared clients: what their hash means and what is written of it (pure), and the same in a real
// redis-server, with anything in it that is not ours.
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

enum { TODAY = 20000, LATER = 30000 }; // what is written on a later day has not expired yet
static const uint64_t NOW_MS = TODAY * SPARED_DAY_MS + 1;
static const uint64_t LIFE_MS = SPARED_LIFE_DAYS * SPARED_DAY_MS;

// A client with so many pairs of each day, days before today.
struct days {
    unsigned ago, pairs;
};

static struct spared_client client_of(const struct days *days, size_t count)
{
    struct spared_client client = {.name = "w:192.0.2.1", .known = true};

    for (size_t i = 0; i < count; i++) {
        for (unsigned n = 0; n < days[i].pairs; n++) {
            struct spared_pair *pair = &client.pair[client.count++];

            pair->day = TODAY - days[i].ago;
            pair->pair[0] = (uint8_t)client.count; // 1, 2, ... in this order
        }
    }
    return client;
}

static const struct holds_row {
    const char *name;
    struct days days[3];
    bool holds;
} HOLDS[] = {
    {"nothing", {{0, 0}}, false},
    {"five on two days", {{0, 4}, {1, 1}}, true},
    {"four on two days", {{0, 3}, {1, 1}}, false},
    {"five on one day", {{0, 5}}, false},
    {"sixteen on one day", {{1, 16}}, false},
    {"five on three days", {{0, 1}, {1, 1}, {2, 3}}, true},
    {"one of them just counts", {{0, 4}, {36, 1}}, true},
    {"one of them counts no more", {{0, 4}, {37, 1}}, false},
    {"none counts any more", {{37, 4}, {38, 4}}, false},
    {"what counts is of one day", {{0, 5}, {37, 5}}, false},
};

static void check_holds(void **state)
{
    const struct holds_row *row = *state;
    struct spared_client client = client_of(row->days, 3);

    assert_int_equal(spared_holds(&client, NOW_MS, LIFE_MS), row->holds);
    client.known = false;
    assert_false(spared_holds(&client, NOW_MS, LIFE_MS));
}

static void a_day_ahead_of_the_clock_counts(void **state)
{
    const struct days days[] = {{0, 4}};
    struct spared_client client = client_of(days, 1);

    (void)state;
    client.pair[4] = (struct spared_pair){{9}, TODAY + 1}; // the clock was set back
    client.count = 5;
    assert_true(spared_holds(&client, NOW_MS, LIFE_MS));
}

static const struct note_row {
    const char *name;
    struct days days[3];
    uint8_t pair; // that is accepted; 1, 2, ... are there already
    enum spared_cause cause;
    bool writes;
    unsigned removed;
    unsigned count; // afterwards
} NOTES[] = {
    {"the first", {{0, 0}}, 99, SPARED_PASSED, true, 0, 1},
    {"another of the day", {{0, 3}}, 99, SPARED_PASSED, true, 0, 4},
    {"the same again on its day", {{0, 3}}, 2, SPARED_PASSED, false, 0, 3},
    {"the same again on another day", {{1, 3}}, 2, SPARED_PASSED, true, 0, 3},
    {"an old one again, where today has one: it keeps its day",
     {{1, 1}, {0, 4}},
     1,
     SPARED_PASSED,
     false,
     0,
     5},
    {"the last that there is room for", {{0, 15}}, 99, SPARED_PASSED, true, 0, 16},
    {"one too many for its day", {{0, 16}}, 99, SPARED_PASSED, false, 0, 16},
    {"one too many, where today has one", {{1, 15}, {0, 1}}, 99, SPARED_PASSED, false, 0, 16},
    {"one too many, but it brings a day", {{1, 16}}, 99, SPARED_PASSED, true, 1, 16},
    {"what counts no more gives way first", {{37, 3}, {1, 13}}, 99, SPARED_PASSED, true, 3, 14},
    {"what counts no more goes, though there is room",
     {{37, 2}, {1, 1}},
     99,
     SPARED_PASSED,
     true,
     2,
     2},
    {"the same again, that counts no more", {{37, 1}, {0, 1}}, 1, SPARED_PASSED, true, 0, 2},
    {"more than are kept: nodes have raced", {{1, 20}}, 99, SPARED_PASSED, true, 5, 16},
    {"a spared mail of a day that is there", {{1, 4}, {0, 1}}, 99, SPARED_SPARED, false, 0, 5},
    {"a spared mail of a new day", {{2, 4}, {1, 1}}, 99, SPARED_SPARED, true, 0, 6},
    {"a spared mail of a new day, and no room", {{2, 8}, {1, 8}}, 99, SPARED_SPARED, true, 1, 16},
    {"the same mail of a new day", {{2, 4}, {1, 1}}, 5, SPARED_SPARED, true, 0, 5},
};

static void check_note(void **state)
{
    const struct note_row *row = *state;
    const uint8_t pair[KEY_PAIR_BYTES] = {row->pair};
    struct spared_client client = client_of(row->days, 3);
    bool held = spared_holds(&client, NOW_MS, LIFE_MS);
    struct spared_change change;

    assert_int_equal(spared_note(&client, pair, row->cause, NOW_MS, LIFE_MS, &change), row->writes);
    assert_int_equal(client.count, row->count);
    if (row->writes) {
        assert_int_equal(change.set.day, TODAY);
        assert_memory_equal(change.set.pair, pair, sizeof(pair));
        assert_int_equal(change.removed_count, row->removed);
    }
    for (unsigned i = 0; row->writes && i < change.removed_count; i++)
        assert_int_not_equal(change.removed[i][0], row->pair); // HDEL comes after HSET
    if (held)
        assert_true(
            spared_holds(&client, NOW_MS, LIFE_MS)); // nothing that is written takes it away
}

static void what_is_not_known_is_not_written(void **state)
{
    const uint8_t pair[KEY_PAIR_BYTES] = {1};
    struct spared_client client = {.known = false};
    struct spared_change change;

    (void)state;
    assert_false(spared_note(&client, pair, SPARED_PASSED, NOW_MS, LIFE_MS, &change));
}

static const struct name_row {
    const char *name; // of the address
    const char *key;
} NAMES[] = {
    {"192.0.2.1", "w:192.0.2.1"},
    {"::ffff:192.0.2.1", "w:192.0.2.1"},
    {"2001:db8:1:2:3:4:5:6", "w:2001:db8:1:2::/64"},
    {"::1", "w:::/64"},
};

static void check_name(void **state)
{
    const struct name_row *row = *state;
    struct spared_clients clients = {.count = 0};
    struct ip ip;

    assert_true(ip_parse(row->name, &ip));
    spared_add_ip(&clients, &ip);
    assert_int_equal(clients.count, 1);
    assert_string_equal(clients.client[0].name, row->key);
}

static void the_longest_domain_has_a_key(void **state)
{
    struct spared_clients clients = {.count = 0};
    char domain[254];

    (void)state;
    memset(domain, 'a', sizeof(domain) - 1);
    domain[sizeof(domain) - 1] = '\0';
    spared_add_domain(&clients, domain);
    assert_int_equal(strlen(clients.client[0].name), strlen("w:spf:") + 253);
}

// ---- in Redis

struct found {
    unsigned calls;
    enum store_state state;
    struct spared_client client;
};

static void found_client(void *arg, enum store_state state, const struct spared_client *client)
{
    struct found *found = arg;

    found->calls++;
    found->state = state;
    found->client = *client;
}

static bool is_found(void *found)
{
    return ((struct found *)found)->calls > 0;
}

static struct found look(struct scene *scene, const char *name,
                         void (*ask)(struct store *, const char *, struct spared_done))
{
    struct found found = {.calls = 0};

    ask(scene->store, name, (struct spared_done){found_client, &found});
    stage_until(&scene->stage, is_found, &found);
    assert_int_equal(found.calls, 1);
    return found;
}

static enum store_state add(struct scene *scene, struct spared_clients *clients, bool read_only)
{
    struct stage_op op = {.calls = 0};

    store_add_pending(scene->store, &scene->pair.triplet, clients, read_only,
                      stage_done(stage_op_done, &op, 1));
    stage_until(&scene->stage, stage_op_is_done, &op);
    return op.state;
}

static struct spared_clients two_clients(void)
{
    struct spared_clients clients = {.count = 0};
    struct ip ip;

    assert_true(ip_parse("192.0.2.1", &ip));
    spared_add_ip(&clients, &ip);
    spared_add_domain(&clients, "sender.example");
    return clients;
}

static void what_is_written_is_read_with_a_first_try(void **state)
{
    const struct spared_change one = {.set = {{1}, LATER - 1}};
    const struct spared_change two = {.set = {{2}, LATER}};
    struct spared_clients clients = two_clients();
    struct scene scene;

    (void)state;
    scene_open(&scene);
    store_spared_write(scene.store, "w:spf:sender.example", &one);
    store_spared_write(scene.store, "w:spf:sender.example", &two);
    settle(&scene);
    uint64_t before = store_counters(scene.store)->commands;

    assert_int_equal(add(&scene, &clients, false), STORE_UP);
    assert_int_equal(store_counters(scene.store)->commands - before, 2 + 5);
    assert_true(clients.client[0].known);
    assert_int_equal(clients.client[0].count, 0);
    assert_true(clients.client[1].known);
    assert_int_equal(clients.client[1].count, 2);
    assert_int_equal(clients.client[1].pair[0].day + clients.client[1].pair[1].day, 2 * LATER - 1);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(scene.pair.facts.passed[KEY_PREVIOUS][1].state, FACT_ABSENT);
    scene_close(&scene);
}

static void what_gives_way_is_removed_and_the_key_expires(void **state)
{
    const struct spared_change one = {.set = {{1}, TODAY - 1}};
    const struct spared_change two = {.set = {{2}, TODAY}, .removed_count = 1, .removed = {{1}}};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t today = spared_day(store_now_ms(scene.store)); // a key that has expired is gone
    struct spared_change three = {.set = {{3}, today}};

    store_spared_write(scene.store, "w:192.0.2.1", &three);
    settle(&scene);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME w:192.0.2.1"),
                     (today + 37) * SPARED_DAY_MS / 1000);
    scene.stage.config.replay = true; // keeps no expiry
    store_spared_write(scene.store, "w:192.0.2.2", &one);
    store_spared_write(scene.store, "w:192.0.2.2", &two);
    settle(&scene); // an operator has a connection of its own
    struct found found = look(&scene, "w:192.0.2.2", store_spared_show);

    assert_int_equal(found.state, STORE_UP);
    assert_int_equal(found.client.count, 1);
    assert_int_equal(found.client.pair[0].pair[0], 2);
    scene_close(&scene);
}

static void what_is_forgotten_is_gone_and_nothing_else(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (uint8_t i = 1; i <= 16; i++) {
        struct spared_change change = {.set = {{i}, LATER}};

        store_spared_write(scene.store, "w:192.0.2.1", &change);
        store_spared_write(scene.store, "w:192.0.2.2", &change);
    }
    settle(&scene);
    assert_int_equal(look(&scene, "w:192.0.2.1", store_spared_forget).client.count, 16);
    assert_int_equal(look(&scene, "w:192.0.2.1", store_spared_forget).client.count, 0);
    assert_int_equal(stage_number(&scene.stage, "EXISTS w:192.0.2.1"), 0);
    assert_int_equal(look(&scene, "w:192.0.2.2", store_spared_show).client.count, 16);
    scene_close(&scene);
}

static const struct garbage_row {
    const char *name;
    const char *command; // that puts it there
} GARBAGE[] = {
    {"a field too short", "HSET w:192.0.2.1 1234567 20000"},
    {"a field too long", "HSET w:192.0.2.1 123456789 20000"},
    {"no number", "HSET w:192.0.2.1 12345678 monday"},
    {"nothing", "HSET w:192.0.2.1 12345678 "},
    {"a negative number", "HSET w:192.0.2.1 12345678 -1"},
    {"a number behind the end of days", "HSET w:192.0.2.1 12345678 4294967296"},
    {"a number beyond all", "HSET w:192.0.2.1 12345678 99999999999999999999"},
    {"one that is ours and one that is not", "HSET w:192.0.2.1 12345678 20000 x y"},
    {"no hash", "SET w:192.0.2.1 x"},
};

static void check_garbage(void **state)
{
    const struct garbage_row *row = *state;
    struct spared_clients clients = two_clients();
    struct scene scene;

    scene_open(&scene);
    if (strcmp(row->name, "nothing") == 0)
        stage_do(&scene.stage, "HSET w:192.0.2.1 12345678 %s", "");
    else
        stage_do(&scene.stage, row->command);
    assert_int_equal(add(&scene, &clients, false), STORE_ERROR);
    assert_false(clients.client[0].known);
    assert_int_equal(clients.client[0].count, 0);
    assert_true(clients.client[1].known);                                           // its neighbour
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT); // and the rest
    assert_int_equal(look(&scene, "w:192.0.2.1", store_spared_show).state, STORE_ERROR);
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] > 0);
    scene_close(&scene);
}

static void more_pairs_than_are_read_are_no_trouble(void **state)
{
    struct spared_clients clients = two_clients();
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < 3 * SPARED_READ_MAX; i++)
        stage_do(&scene.stage, "HSET w:192.0.2.1 1234%04u 20000", i);
    assert_int_equal(add(&scene, &clients, true), STORE_UP);
    assert_int_equal(clients.client[0].count, SPARED_READ_MAX);
    scene_close(&scene);
}

static void rights_of_before_spare_nobody_and_defer_as_ever(void **state)
{
    struct spared_clients clients = two_clients();
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "ACL SETUSER default resetkeys ~g:* ~p:* ~meta");
    assert_int_equal(add(&scene, &clients, false), STORE_DENIED);
    assert_false(clients.client[0].known);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(store_state(scene.store), STORE_UP);
    assert_int_equal(look(&scene, "w:192.0.2.1", store_spared_forget).state, STORE_DENIED);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, HOLDS, check_holds);
    TABLE_TEST(&table, a_day_ahead_of_the_clock_counts);
    TABLE_ROWS(&table, NOTES, check_note);
    TABLE_TEST(&table, what_is_not_known_is_not_written);
    TABLE_ROWS(&table, NAMES, check_name);
    TABLE_TEST(&table, the_longest_domain_has_a_key);
    TABLE_TEST(&table, what_is_written_is_read_with_a_first_try);
    TABLE_TEST(&table, what_gives_way_is_removed_and_the_key_expires);
    TABLE_TEST(&table, what_is_forgotten_is_gone_and_nothing_else);
    TABLE_ROWS(&table, GARBAGE, check_garbage);
    TABLE_TEST(&table, more_pairs_than_are_read_are_no_trouble);
    TABLE_TEST(&table, rights_of_before_spare_nobody_and_defer_as_ever);
    return table_run(&table, "spared clients");
}
