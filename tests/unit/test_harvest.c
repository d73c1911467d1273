// Clients that harvest: when one is banned and for how long, the forms in which that is stored, and the two tables that a
// node has of it. Pure; the same in a real redis-server is test_store_harvest.c.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/harvest.h"
#include "node/store/bans.h"
#include "node/store/named.h"
#include "tests/support/table.h"

static const uint64_t NOW_MS = 500000 * HARVEST_HOUR_MS + 7;
static const struct harvest_bounds BOUNDS = {25, 0.5, 300000, 3600000};

// ---- counts

static const struct count_row {
    const char *name;
    uint64_t bound;
    double share;
    uint64_t unknown, existing;
    bool is_suspect, is_over;
} COUNTS[] = {
    {"nothing", 25, 0.5, 0, 0, false, false},
    {"six of 25", 25, 0.5, 6, 0, false, false},
    {"seven of 25: the quarter", 25, 0.5, 7, 0, true, false},
    {"one below the bound", 25, 0.5, 24, 0, true, false},
    {"the bound", 25, 0.5, 25, 0, true, true},
    {"the bound, and one less that exist", 25, 0.5, 25, 24, true, true},
    {"the bound, and just half", 25, 0.5, 25, 25, true, false},
    {"more than the bound, and less than half", 25, 0.5, 1000, 1001, true, false},
    {"more than the bound, and more than half", 25, 0.5, 1001, 1000, true, true},
    {"no bound", 0, 0.5, 1000, 0, false, false},
    {"a bound of one", 1, 0.5, 1, 0, true, true},
    {"a bound of one, nothing", 1, 0.5, 0, 0, false, false},
    {"a bound of four, one", 4, 0.5, 1, 0, true, false},
    {"any share", 25, 0, 25, 100000, true, true},
    {"the whole share is never exceeded", 25, 1, 1000, 0, true, false},
    {"a tenth", 25, 0.1, 25, 224, true, true},
    {"just a tenth", 25, 0.1, 25, 225, true, false},
};

static void check_count(void **state)
{
    const struct count_row *row = *state;
    const struct harvest_bounds bounds = {row->bound, row->share, 1000, 2000};
    const struct harvest_count count = {row->unknown, row->existing};

    assert_int_equal(harvest_is_suspect(&bounds, row->unknown), row->is_suspect);
    assert_int_equal(harvest_is_over(&bounds, &count), row->is_over);
}

// ---- bans

// Of a ban that began `began` before now and was to last `span`: the next one lasts `next`; 0 = the old one stays.
static const struct next_row {
    const char *name;
    uint64_t began, span, next;
} NEXTS[] = {
    {"the first", 0, 0, 300000},
    {"it holds", 200000, 300000, 0},
    {"its last millisecond", 299999, 300000, 0},
    {"just over", 300000, 300000, 600000},
    {"an hour later", 300000 + HARVEST_HOUR_MS, 300000, 600000},
    {"a third time", 600000, 600000, 1200000},
    {"a fourth time", 1200000, 1200000, 2400000},
    {"up to an hour", 2400000, 2400000, 3600000},
    {"and no longer", 3600000, 3600000, 3600000},
    {"a day later", 300000 + HARVEST_REPEAT_MS, 300000, 600000},
    {"more than a day later", 300001 + HARVEST_REPEAT_MS, 300000, 300000},
};

static void check_next(void **state)
{
    const struct next_row *row = *state;
    const struct harvest_count count = {26, 3};
    struct harvest_ban old = {.until_ms = 0};

    if (row->span > 0)
        old = (struct harvest_ban){NOW_MS - row->began + row->span, NOW_MS - row->began, {25, 1}};
    const struct harvest_ban next = harvest_ban_next(&old, &BOUNDS, &count, NOW_MS);

    if (row->next == 0) {
        assert_memory_equal(&next, &old, sizeof(next));
        return;
    }
    assert_int_equal(next.since_ms, NOW_MS);
    assert_int_equal(next.until_ms, NOW_MS + row->next);
    assert_int_equal(next.count.unknown, 26);
    assert_int_equal(next.count.existing, 3);
}

static void the_first_ban_is_no_longer_than_the_longest(void **state)
{
    const struct harvest_bounds bounds = {25, 0.5, 300000, 200000};
    const struct harvest_ban none = {.until_ms = 0};
    const struct harvest_count count = {25, 0};

    (void)state;
    assert_int_equal(harvest_ban_next(&none, &bounds, &count, NOW_MS).until_ms, NOW_MS + 200000);
}

static void a_ban_holds_from_its_first_moment_to_before_its_last(void **state)
{
    const struct harvest_ban ban = {NOW_MS + 10, NOW_MS, {25, 0}};
    const struct harvest_ban none = {.until_ms = 0};

    (void)state;
    assert_false(harvest_ban_holds(&ban, NOW_MS - 1));
    assert_true(harvest_ban_holds(&ban, NOW_MS));
    assert_true(harvest_ban_holds(&ban, NOW_MS + 9));
    assert_false(harvest_ban_holds(&ban, NOW_MS + 10));
    assert_false(harvest_ban_holds(&none, 0));
    assert_false(harvest_ban_is_over(&ban, NOW_MS + 10 + HARVEST_REPEAT_MS));
    assert_true(harvest_ban_is_over(&ban, NOW_MS + 11 + HARVEST_REPEAT_MS));
}

static const struct value_row {
    const char *name;
    const char *value;
    bool is_one;
} VALUES[] = {
    {"a ban", "1800000300000 1800000000000 25 3", true},
    {"of a day", "1800086400000 1800000000000 25 0", true},
    {"longer than a day", "1800086400001 1800000000000 25 0", false},
    {"ends when it begins", "1800000000000 1800000000000 25 0", false},
    {"ends before it begins", "1800000000000 1800000000001 25 0", false},
    {"since the beginning of time", "300000 0 25 0", false},
    {"nothing", "", false},
    {"a word", "forever", false},
    {"three numbers", "1800000300000 1800000000000 25", false},
    {"five numbers", "1800000300000 1800000000000 25 3 1", false},
    {"a number is missing", "1800000300000  25 3", false},
    {"two blanks", "1800000300000  1800000000000 25 3", false},
    {"less than nothing", "1800000300000 1800000000000 -25 3", false},
    {"a blank behind it", "1800000300000 1800000000000 25 3 ", false},
    {"a blank before it", " 1800000300000 1800000000000 25 3", false},
    {"fifteen digits", "999999999999999 999999999999998 999999999999999 999999999999999", true},
    {"sixteen digits", "1800000300000 1800000000000 1000000000000000 3", false},
    {"overflows", "99999999999999999999999 1800000000000 25 3", false},
    {"hexadecimal", "0x10 0x1 25 3", false},
};

static void check_value(void **state)
{
    const struct value_row *row = *state;
    char again[HARVEST_VALUE_MAX];
    struct harvest_ban ban;

    assert_int_equal(harvest_ban_read(row->value, &ban), row->is_one);
    if (!row->is_one)
        return;
    assert_int_equal(harvest_ban_write(&ban, again), strlen(row->value));
    assert_string_equal(again, row->value);
}

// ---- names

static const struct client_row {
    const char *name;
    const char *ip, *client;
} CLIENTS[] = {
    {"one IPv4 address", "192.0.2.1", "192.0.2.1"},
    {"mapped into IPv6", "::ffff:192.0.2.1", "192.0.2.1"},
    {"an IPv6 /64", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
    {"the longest there is", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "2001:db8:aaaa:bbbb::/64"},
};

static void check_client(void **state)
{
    const struct client_row *row = *state;
    char text[HARVEST_CLIENT_MAX];
    char key[HARVEST_KEY_MAX];
    char wanted[HARVEST_KEY_MAX];
    struct ip_net again;
    struct ip ip;

    assert_true(ip_parse(row->ip, &ip));
    const struct ip_net client = harvest_client(&ip);

    assert_string_equal(harvest_client_text(&client, text), row->client);
    assert_true(harvest_client_read(text, &again));
    assert_int_equal(ip_net_compare(&client, &again), 0);
    (void)snprintf(wanted, sizeof(wanted), "c:harvest:{%s}:500000", row->client);
    assert_int_equal(harvest_key(HARVEST_UNKNOWN, &client, 500000, key), strlen(wanted));
    assert_string_equal(key, wanted);
    (void)snprintf(wanted, sizeof(wanted), "c:exists:{%s}:%" PRIu64, row->client, UINT64_MAX);
    assert_int_equal(harvest_key(HARVEST_EXISTING, &client, UINT64_MAX, key), strlen(wanted));
    assert_string_equal(key, wanted);
}

static const struct no_client_row {
    const char *name;
    const char *text;
} NO_CLIENTS[] = {
    {"nothing", ""},
    {"a word", "localhost"},
    {"a network", "192.0.2.0/24"},
    {"an address with its length", "192.0.2.1/32"},
    {"an IPv6 address", "2001:db8:1:2::1"},
    {"a /128", "2001:db8:1:2::1/128"},
    {"a /48", "2001:db8:1::/48"},
    {"a /64 with host bits", "2001:db8:1:2::1/64"},
    {"a /64 in capitals", "2001:DB8:1:2::/64"},
    {"a /64 written out", "2001:db8:1:2:0:0:0:0/64"},
    {"a mapped address", "::ffff:192.0.2.1"},
    {"a blank behind it", "192.0.2.1 "},
};

static void check_no_client(void **state)
{
    const struct no_client_row *row = *state;
    struct ip_net net;

    assert_false(harvest_client_read(row->text, &net));
}

static void an_hour_begins_with_its_first_millisecond(void **state)
{
    (void)state;
    assert_int_equal(harvest_hour(2 * HARVEST_HOUR_MS - 1), 1);
    assert_int_equal(harvest_hour(2 * HARVEST_HOUR_MS), 2);
    assert_true(harvest_expiry_ms(1) > 2 * HARVEST_HOUR_MS);
}

static void fields_are_of_the_hour_the_recipient_and_the_secret(void **state)
{
    const struct key_ring ring = {
        .count = 2,
        .epoch = {{.buckets = 1, .secret = {1}}, {.since_ms = 1000, .buckets = 1, .secret = {2}}}};
    uint8_t a[HARVEST_FIELD_BYTES], b[HARVEST_FIELD_BYTES];

    (void)state;
    key_harvest_field(&ring, 0, "ann@corp.example", a);
    key_harvest_field(&ring, 999, "ann@corp.example", b);
    assert_memory_equal(a, b, sizeof(a));
    key_harvest_field(&ring, 1000, "ann@corp.example", b);
    assert_memory_not_equal(a, b, sizeof(a));
    key_harvest_field(&ring, 0, "bob@corp.example", b);
    assert_memory_not_equal(a, b, sizeof(a));
}

// ---- what this node has seen

static struct named_of of_client(unsigned number, uint64_t hour)
{
    struct named_of of = {.hour = hour};

    of.client.ip.family = 4;
    of.client.bits = 32;
    of.client.ip.bytes[0] = 10;
    of.client.ip.bytes[2] = (uint8_t)(number >> 8);
    of.client.ip.bytes[3] = (uint8_t)number;
    return of;
}

static bool add(struct named *named, const struct named_of *of, enum harvest_kind kind,
                unsigned number)
{
    uint8_t field[HARVEST_FIELD_BYTES] = {(uint8_t)number, (uint8_t)(number >> 8)};

    return named_add(named, of, kind, field);
}

static size_t count(const struct named *named, const struct named_of *of, enum harvest_kind kind)
{
    uint8_t field[NAMED_FIELDS][HARVEST_FIELD_BYTES];

    return named_list(named, of, kind, field);
}

static void a_recipient_is_news_once_an_hour(void **state)
{
    const struct named_of first = of_client(1, 10);
    const struct named_of later = of_client(1, 11);
    const struct named_of other = of_client(2, 10);
    struct named *named = named_new(4);

    (void)state;
    assert_true(add(named, &first, HARVEST_EXISTING, 1));
    assert_false(add(named, &first, HARVEST_EXISTING, 1));
    assert_true(add(named, &first, HARVEST_UNKNOWN, 1));
    assert_false(add(named, &first, HARVEST_UNKNOWN, 1));
    assert_true(add(named, &first, HARVEST_EXISTING, 2));
    assert_true(add(named, &other, HARVEST_EXISTING, 1));
    assert_int_equal(count(named, &first, HARVEST_EXISTING), 2);
    assert_int_equal(count(named, &first, HARVEST_UNKNOWN), 1);
    assert_int_equal(count(named, &later, HARVEST_EXISTING), 0);
    assert_true(add(named, &later, HARVEST_EXISTING, 1));
    named_free(&named);
    assert_null(named);
    named_free(&named);
}

static void what_is_beyond_the_room_is_news_each_time(void **state)
{
    const struct named_of of = of_client(1, 10);
    struct named *named = named_new(4);

    (void)state;
    for (unsigned i = 0; i < NAMED_FIELDS; i++)
        assert_true(add(named, &of, i % 2 == 0 ? HARVEST_EXISTING : HARVEST_UNKNOWN, i));
    assert_true(add(named, &of, HARVEST_EXISTING, NAMED_FIELDS));
    assert_true(add(named, &of, HARVEST_EXISTING, NAMED_FIELDS));
    assert_false(add(named, &of, HARVEST_UNKNOWN, NAMED_FIELDS - 1));
    assert_int_equal(count(named, &of, HARVEST_EXISTING), NAMED_FIELDS / 2);
    assert_int_equal(count(named, &of, HARVEST_UNKNOWN), NAMED_FIELDS / 2);
    named_free(&named);
}

static void what_was_not_told_is_news_again(void **state)
{
    const struct named_of of = of_client(1, 10);
    const struct named_of nobody = of_client(2, 10);
    struct named *named = named_new(4);

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        (void)add(named, &of, i % 3 == 0 ? HARVEST_EXISTING : HARVEST_UNKNOWN, i);
    named_unlearn(named, &of, HARVEST_UNKNOWN);
    named_unlearn(named, &nobody, HARVEST_UNKNOWN);
    assert_int_equal(count(named, &of, HARVEST_UNKNOWN), 0);
    assert_int_equal(count(named, &of, HARVEST_EXISTING), 4);
    assert_false(add(named, &of, HARVEST_EXISTING, 9));
    assert_true(add(named, &of, HARVEST_UNKNOWN, 1));
    named_unlearn(named, &of, HARVEST_EXISTING);
    assert_int_equal(count(named, &of, HARVEST_EXISTING), 0);
    assert_int_equal(count(named, &of, HARVEST_UNKNOWN), 1);
    named_forget(named, &of.client);
    assert_int_equal(count(named, &of, HARVEST_UNKNOWN), 0);
    named_free(&named);
}

static bool is_suspect(const struct named *named, const struct named_of *of)
{
    return named_suspicion(named, of).heard_ms > 0;
}

static void who_has_named_least_gives_way_and_a_suspect_last(void **state)
{
    const struct named_suspicion heard = {.heard_ms = 5, .told_ms = 4};
    struct named *named = named_new(4);
    struct named_of of[6];

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        of[i] = of_client(i, 10);
    named_set_suspicion(named, &of[0], &heard); // has named nobody here
    for (unsigned i = 1; i < 4; i++)
        for (unsigned k = 0; k < i + 1; k++)
            (void)add(named, &of[i], HARVEST_EXISTING, k);
    (void)add(named, &of[4], HARVEST_EXISTING, 1);
    assert_int_equal(count(named, &of[1], HARVEST_EXISTING), 0); // had two
    assert_int_equal(count(named, &of[2], HARVEST_EXISTING), 3);
    assert_int_equal(count(named, &of[3], HARVEST_EXISTING), 4);
    assert_true(is_suspect(named, &of[0]));
    assert_int_equal(named_suspicion(named, &of[0]).told_ms, 4);
    (void)add(named, &of[5], HARVEST_EXISTING, 1); // instead of the fourth
    assert_int_equal(count(named, &of[4], HARVEST_EXISTING), 0);
    assert_int_equal(count(named, &of[3], HARVEST_EXISTING), 4);
    const struct named_of later = of_client(7, 11);

    (void)add(named, &later, HARVEST_EXISTING,
              1); // what was an hour before is worth nothing, a suspect neither
    assert_false(is_suspect(named, &of[0]));
    assert_int_equal(count(named, &later, HARVEST_EXISTING), 1);
    named_free(&named);
}

// Whatever is added and forgotten in whatever order: it has what a plain list would have.
static void it_has_what_a_plain_list_would_have(void **state)
{
    enum { FIELDS = 40 };
    bool plain[2][FIELDS] = {{false}};
    const struct named_of of = of_client(1, 10);
    struct named *named = named_new(4);
    uint32_t random = 1;

    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        random = random * 1664525U + 1013904223U;
        const enum harvest_kind kind = (random >> 8) % 2 == 0 ? HARVEST_UNKNOWN : HARVEST_EXISTING;
        const unsigned number =
            (random >> 12) % (FIELDS / 2) + (kind == HARVEST_UNKNOWN ? FIELDS / 2 : 0);

        if ((random >> 20) % 50 == 0) {
            named_unlearn(named, &of, kind);
            memset(plain[kind], 0, sizeof(plain[kind]));
        }
        assert_int_equal(add(named, &of, kind, number), !plain[kind][number]);
        plain[kind][number] = true;
    }
    named_free(&named);
}

// ---- who is banned

static void set_ban(struct bans *bans, unsigned number, uint64_t until_ms, uint64_t now_ms)
{
    const struct named_of of = of_client(number, 0);
    const struct harvest_ban ban = {until_ms, 1, {number, 0}};

    bans_set(bans, &of.client, &ban, now_ms);
}

static uint64_t ban_of(const struct bans *bans, unsigned number)
{
    const struct named_of of = of_client(number, 0);

    return bans_find(bans, &of.client).until_ms;
}

static void bans_are_set_found_and_removed(void **state)
{
    struct bans bans = {.count = 0};
    const struct named_of one = of_client(1, 0);

    (void)state;
    assert_int_equal(ban_of(&bans, 1), 0);
    assert_false(bans_remove(&bans, &one.client));
    for (unsigned i = 300; i-- > 0;) // in no good order
        set_ban(&bans, i * 7 % 300, 1000 + i * 7 % 300, 10);
    assert_int_equal(bans.count, 300);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(ban_of(&bans, i), 1000 + i);
    set_ban(&bans, 1, 5000, 10);
    assert_int_equal(ban_of(&bans, 1), 5000);
    assert_int_equal(bans.count, 300);
    set_ban(&bans, 1, 10, 10); // over
    assert_int_equal(ban_of(&bans, 1), 0);
    assert_int_equal(bans.count, 299);
    set_ban(&bans, 1, 11, 10);
    assert_true(bans_remove(&bans, &one.client));
    assert_int_equal(ban_of(&bans, 1), 0);
    bans_clear(&bans);
    assert_int_equal(bans.count, 0);
}

static void in_a_full_table_the_first_to_end_gives_way(void **state)
{
    struct bans bans = {.count = 0};

    (void)state;
    for (unsigned i = 0; i < BANS_MAX; i++)
        set_ban(&bans, i, 1000 + i, 10);
    set_ban(&bans, BANS_MAX, 5000, 10);
    assert_int_equal(bans.count, BANS_MAX);
    assert_int_equal(ban_of(&bans, 0), 0);
    assert_int_equal(ban_of(&bans, 1), 1001);
    assert_int_equal(ban_of(&bans, BANS_MAX), 5000);
    set_ban(&bans, BANS_MAX + 1, 50000, 1101); // what is over goes first, all of it
    assert_int_equal(ban_of(&bans, 101), 0);
    assert_int_equal(ban_of(&bans, 102), 1102);
    assert_int_equal(bans.count, BANS_MAX - 100);
    bans_clear(&bans);
}

static void a_whole_reading_removes_what_it_did_not_meet(void **state)
{
    struct bans bans = {.count = 0};

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        set_ban(&bans, i, 1000, 10);
    bans_read_begin(&bans);
    for (unsigned i = 0; i < 10; i += 2)
        set_ban(&bans, i, 1000 + i, 10);
    assert_int_equal(ban_of(&bans, 1), 1000); // as long as it is not whole
    bans_read_end(&bans, 1002);
    assert_int_equal(ban_of(&bans, 1), 0);
    assert_int_equal(ban_of(&bans, 2), 0); // over
    assert_int_equal(ban_of(&bans, 4), 1004);
    assert_int_equal(bans.count, 3);
    bans_clear(&bans);
}

static void pages_are_of_a_network_and_go_on_behind_a_client(void **state)
{
    struct bans bans = {.count = 0};
    struct ip_net any = {.bits = 0};
    const struct named_of third = of_client(3, 0);
    struct ban_row row[300];
    struct ip_net net;

    (void)state;
    for (unsigned i = 0; i < 300; i++)
        set_ban(&bans, i, i == 5 ? 20 : 1000, 10);
    assert_int_equal(bans_page(&bans, &any, &any, 20, row, 300), 299);
    assert_int_equal(bans_page(&bans, &any, &any, 0, row, 300), 0); // none has begun
    assert_int_equal(bans_page(&bans, &any, &any, 19, row, 2), 2);
    assert_int_equal(row[1].ban.count.unknown, 1);
    assert_int_equal(bans_page(&bans, &any, &third.client, 20, row, 2), 2);
    assert_int_equal(row[0].ban.count.unknown, 4);
    assert_int_equal(row[1].ban.count.unknown, 6);
    assert_int_equal(ip_net_parse("10.0.1.0/24", &net, NULL), ERR_NONE);
    assert_int_equal(bans_page(&bans, &net, &any, 20, row, 300), 44);
    assert_int_equal(row[0].ban.count.unknown, 256);
    assert_int_equal(ip_net_parse("2001:db8::/32", &net, NULL), ERR_NONE);
    assert_int_equal(bans_page(&bans, &net, &any, 20, row, 300), 0);
    bans_clear(&bans);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, COUNTS, check_count);
    TABLE_ROWS(&table, NEXTS, check_next);
    TABLE_ROWS(&table, VALUES, check_value);
    TABLE_ROWS(&table, CLIENTS, check_client);
    TABLE_ROWS(&table, NO_CLIENTS, check_no_client);
    TABLE_TEST(&table, the_first_ban_is_no_longer_than_the_longest);
    TABLE_TEST(&table, a_ban_holds_from_its_first_moment_to_before_its_last);
    TABLE_TEST(&table, an_hour_begins_with_its_first_millisecond);
    TABLE_TEST(&table, fields_are_of_the_hour_the_recipient_and_the_secret);
    TABLE_TEST(&table, a_recipient_is_news_once_an_hour);
    TABLE_TEST(&table, what_is_beyond_the_room_is_news_each_time);
    TABLE_TEST(&table, what_was_not_told_is_news_again);
    TABLE_TEST(&table, who_has_named_least_gives_way_and_a_suspect_last);
    TABLE_TEST(&table, it_has_what_a_plain_list_would_have);
    TABLE_TEST(&table, bans_are_set_found_and_removed);
    TABLE_TEST(&table, in_a_full_table_the_first_to_end_gives_way);
    TABLE_TEST(&table, a_whole_reading_removes_what_it_did_not_meet);
    TABLE_TEST(&table, pages_are_of_a_network_and_go_on_behind_a_client);
    return table_run(&table, "harvest");
}
