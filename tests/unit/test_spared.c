// Spared clients: what evidence and rows mean, and what is written of them. Pure; the same in a real
// redis-server is test_store_spared.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/spared.h"
#include "tests/support/table.h"

enum { TODAY = 20000 };
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

static bool holds(const struct spared_client *client)
{
    const struct spared_row row = spared_row_of(client);

    return spared_holds(&row, NOW_MS, LIFE_MS);
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

    assert_int_equal(holds(&client), row->holds);
    client.known = false;
    assert_false(holds(&client));
    assert_int_equal(spared_row_of(&client).newest, 0);
}

static void a_day_ahead_of_the_clock_counts(void **state)
{
    const struct days days[] = {{0, 4}};
    struct spared_client client = client_of(days, 1);

    (void)state;
    client.pair[4] = (struct spared_pair){{9}, TODAY + 1}; // the clock was set back
    client.count = 5;
    assert_true(holds(&client));
}

// Days before today, as HOLDS; 0, 0: no row.
static const struct rests_row {
    const char *name;
    struct days days[3];
    unsigned rests_ago, newest_ago;
    bool is_one;
} RESTS[] = {
    {"too few", {{0, 2}, {1, 2}}, 0, 0, false},
    {"five on two days", {{0, 4}, {1, 1}}, 1, 0, true},
    {"the old ones are needed", {{0, 1}, {3, 4}}, 3, 0, true},
    {"and as many as are needed, no older", {{0, 1}, {3, 4}, {5, 4}}, 3, 0, true},
    {"one of the third day is", {{0, 2}, {3, 2}, {5, 4}}, 5, 0, true},
    {"five of one day need another", {{0, 5}, {9, 1}}, 9, 0, true},
    {"today has none", {{2, 3}, {4, 3}}, 4, 2, true},
    {"what counts no more is not asked for", {{37, 4}, {38, 4}}, 38, 37, true},
};

static void check_rests(void **state)
{
    const struct rests_row *row = *state;
    struct spared_client client = client_of(row->days, 3);
    const struct spared_row got = spared_row_of(&client);

    assert_int_equal(got.newest, row->is_one ? TODAY - row->newest_ago : 0);
    assert_int_equal(got.rests, row->is_one ? TODAY - row->rests_ago : 0);
}

// Whatever the life of a pair, the row holds on exactly the days on which the pairs that count are enough.
static void a_row_holds_as_long_as_its_evidence(void **state)
{
    (void)state;
    for (unsigned pick = 0; pick < 5000; pick++) {
        struct spared_client client = {.known = true, .count = pick % 9};

        for (unsigned i = 0; i < client.count; i++)
            client.pair[i].day = TODAY - (pick * 7919U + i * i * 104729U) / 64 % 12;
        const struct spared_row row = spared_row_of(&client);

        for (uint64_t life = 0; life < 14; life++) {
            uint64_t oldest = UINT64_MAX;
            uint64_t newest = 0;
            unsigned pairs = 0;

            for (unsigned i = 0; i < client.count; i++) {
                uint64_t day = client.pair[i].day;

                if (TODAY - day > life)
                    continue;
                pairs++;
                oldest = day < oldest ? day : oldest;
                newest = day > newest ? day : newest;
            }
            assert_int_equal(spared_holds(&row, NOW_MS, life * SPARED_DAY_MS),
                             pairs >= 5 && newest > oldest);
        }
    }
}

static const struct due_row {
    const char *name;
    struct spared_row row;
    enum spared_cause cause;
    bool is_due;
} DUE[] = {
    {"a retry of somebody", {0, 0}, SPARED_PASSED, true},
    {"a retry of who was renewed today", {TODAY - 1, TODAY}, SPARED_PASSED, true},
    {"who was renewed yesterday", {TODAY - 5, TODAY - 1}, SPARED_SPARED, true},
    {"on the last day", {TODAY - 36, TODAY - 1}, SPARED_SPARED, true},
    {"a day later", {TODAY - 37, TODAY - 1}, SPARED_SPARED, false},
    {"who was renewed today", {TODAY - 5, TODAY}, SPARED_SPARED, false},
    {"who was renewed tomorrow: the clock was set back", {TODAY, TODAY + 1}, SPARED_SPARED, false},
    {"who is not spared", {0, 0}, SPARED_SPARED, false},
};

static void check_due(void **state)
{
    const struct due_row *row = *state;
    const struct spared_news news = {.cause = row->cause, .now_ms = NOW_MS, .life_ms = LIFE_MS};

    assert_int_equal(spared_is_due(&row->row, &news), row->is_due);
}

static void the_first_that_is_spared_speaks(void **state)
{
    struct spared_clients clients = {.count = 2};

    (void)state;
    assert_null(spared_by(NULL, NOW_MS, LIFE_MS));
    assert_null(spared_by(&clients, NOW_MS, LIFE_MS));
    clients.client[1].row = (struct spared_row){TODAY - 36, TODAY};
    assert_ptr_equal(spared_by(&clients, NOW_MS, LIFE_MS), &clients.client[1]);
    clients.client[0].row = (struct spared_row){TODAY, TODAY};
    assert_ptr_equal(spared_by(&clients, NOW_MS, LIFE_MS), &clients.client[0]);
    clients.count = 0;
    assert_null(spared_by(&clients, NOW_MS, LIFE_MS));
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
    {"a spared mail of a client that is not", {{2, 3}, {1, 1}}, 99, SPARED_SPARED, false, 0, 4},
    {"nor any more", {{37, 4}, {1, 1}}, 99, SPARED_SPARED, false, 0, 5},
    {"and nothing is known of it", {{0, 0}}, 99, SPARED_SPARED, false, 0, 0},
};

static void check_note(void **state)
{
    const struct note_row *row = *state;
    const struct spared_news news = {{row->pair}, row->cause, NOW_MS, LIFE_MS};
    struct spared_client client = client_of(row->days, 3);
    bool held = holds(&client);
    struct spared_change change;

    assert_int_equal(spared_note(&client, &news, &change), row->writes);
    assert_int_equal(client.count, row->count);
    if (row->writes) {
        assert_int_equal(change.set.day, TODAY);
        assert_memory_equal(change.set.pair, news.pair, sizeof(news.pair));
        assert_int_equal(change.removed_count, row->removed);
    }
    for (unsigned i = 0; row->writes && i < change.removed_count; i++)
        assert_int_not_equal(change.removed[i][0], row->pair); // HDEL comes after HSET
    if (held)
        assert_true(holds(&client)); // nothing that is written takes it away
}

static void what_is_not_known_is_not_written(void **state)
{
    const struct spared_news news = {{1}, SPARED_PASSED, NOW_MS, LIFE_MS};
    struct spared_client client = {.known = false};
    struct spared_change change;

    (void)state;
    assert_false(spared_note(&client, &news, &change));
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

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, HOLDS, check_holds);
    TABLE_TEST(&table, a_day_ahead_of_the_clock_counts);
    TABLE_ROWS(&table, RESTS, check_rests);
    TABLE_TEST(&table, a_row_holds_as_long_as_its_evidence);
    TABLE_ROWS(&table, DUE, check_due);
    TABLE_TEST(&table, the_first_that_is_spared_speaks);
    TABLE_ROWS(&table, NOTES, check_note);
    TABLE_TEST(&table, what_is_not_known_is_not_written);
    TABLE_ROWS(&table, NAMES, check_name);
    TABLE_TEST(&table, the_longest_domain_has_a_key);
    return table_run(&table, "spared clients");
}
