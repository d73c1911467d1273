// Which transactions carry their recipients: an hour, and in bounded room.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/chain.h"
#include "node/core/key.h"
#include "node/verbs/carried.h"
#include "tests/support/table.h"

static const uint64_t NOW_MS = 1000000000;

static const struct age_row {
    const char *name;
    int64_t later_ms;
    bool found;
} AGES[] = {
    {"at once", 0, true},
    {"an hour later", GREYLIST_TRANSACTION_MS, true},
    {"a millisecond more", GREYLIST_TRANSACTION_MS + 1, false},
    {"by a clock that was set back", -5000, true},
};

static void check_age(void **state)
{
    const struct age_row *row = *state;
    struct carried *carried = carried_new(16);

    carried_keep(carried, 7, NOW_MS);
    assert_int_equal(carried_find(carried, 7, (uint64_t)((int64_t)NOW_MS + row->later_ms)),
                     row->found);
    assert_false(carried_find(carried, 8, NOW_MS));
    assert_false(carried_find(carried, 7 + 4, NOW_MS)); // of the same set
    carried_free(&carried);
    assert_null(carried);
    carried_free(&carried);
}

static void kept_again_it_holds_an_hour_from_then(void **state)
{
    struct carried *carried = carried_new(4);

    (void)state;
    carried_keep(carried, 1, NOW_MS);
    carried_keep(carried, 2, NOW_MS);
    carried_keep(carried, 1, NOW_MS + 1000);
    assert_true(carried_find(carried, 1, NOW_MS + 1000 + GREYLIST_TRANSACTION_MS));
    assert_true(carried_find(carried, 2, NOW_MS + GREYLIST_TRANSACTION_MS)); // pushed out by nobody
    carried_free(&carried);
}

static void where_there_is_no_room_the_oldest_goes(void **state)
{
    struct carried *carried = carried_new(4);

    (void)state;
    for (uint64_t i = 1; i <= 4; i++)
        carried_keep(carried, i, NOW_MS + (i == 1 ? 9 : i));
    carried_keep(carried, 5, NOW_MS + 10);
    assert_false(carried_find(carried, 2, NOW_MS + 10));
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(carried_find(carried, i, NOW_MS + 10), i != 2);
    carried_free(&carried);
}

static void a_flood_is_bounded_and_the_latest_is_there(void **state)
{
    struct carried *carried = carried_new(64);
    unsigned found = 0;

    (void)state;
    for (uint64_t i = 1; i <= 100000; i++) {
        carried_keep(carried, i * 0x9E3779B97F4A7C15ULL, NOW_MS + i);
        assert_true(carried_find(carried, i * 0x9E3779B97F4A7C15ULL, NOW_MS + i));
    }
    for (uint64_t i = 1; i <= 100000; i++)
        found += carried_find(carried, i * 0x9E3779B97F4A7C15ULL, NOW_MS + 100000);
    assert_in_range(found, 32, 64);
    carried_free(&carried);
}

static void transactions_are_named_by_all_three(void **state)
{
    const struct key_ring ring = {.count = 1, .epoch = {{.buckets = 1, .secret = {1}}}};
    const struct key_ring other_ring = {.count = 1, .epoch = {{.buckets = 1, .secret = {2}}}};
    struct ip_net net;
    struct ip_net other_net;
    struct ip_net wider;

    (void)state;
    assert_int_equal(ip_net_parse("192.0.2.0/24", &net, NULL), ERR_NONE);
    assert_int_equal(ip_net_parse("192.0.3.0/24", &other_net, NULL), ERR_NONE);
    assert_int_equal(ip_net_parse("192.0.2.0/25", &wider, NULL), ERR_NONE);
    uint64_t key = key_transaction(&ring, "t", "a@b.example", &net);

    assert_int_not_equal(key, 0);
    assert_int_equal(key_transaction(&ring, "t", "a@b.example", &net), key);
    assert_int_not_equal(key_transaction(&ring, "u", "a@b.example", &net), key);
    assert_int_not_equal(key_transaction(&ring, "t", "c@b.example", &net), key);
    assert_int_not_equal(key_transaction(&ring, "ta", "@b.example", &net), key);
    assert_int_not_equal(key_transaction(&ring, "t", "a@b.example", &other_net), key);
    assert_int_not_equal(key_transaction(&ring, "t", "a@b.example", &wider), key);
    assert_int_not_equal(key_transaction(&other_ring, "t", "a@b.example", &net), key);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, AGES, check_age);
    TABLE_TEST(&table, kept_again_it_holds_an_hour_from_then);
    TABLE_TEST(&table, where_there_is_no_room_the_oldest_goes);
    TABLE_TEST(&table, a_flood_is_bounded_and_the_latest_is_there);
    TABLE_TEST(&table, transactions_are_named_by_all_three);
    return table_run(&table, "carried transactions");
}
