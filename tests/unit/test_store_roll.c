// The roll of spared clients: the table against a plain list, who gives way, what a reading removes, and
// which stored rows are believed. Pure.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/roll.h"
#include "tests/support/table.h"

enum { TODAY = 20000, NAMES = 300 };

static const uint8_t SECRET[ROLL_SECRET_BYTES] = {7, 7, 7};

static const char *name_of(unsigned number, char out[32])
{
    (void)snprintf(out, 32, "192.0.%u.%u", number / 256, number % 256);
    return out;
}

static void set(struct roll *roll, unsigned number, uint32_t rests, uint32_t newest)
{
    char name[32];

    roll_set(roll, name_of(number, name), &(struct spared_row){rests, newest});
}

static uint32_t newest(const struct roll *roll, unsigned number)
{
    char name[32];

    return roll_find(roll, name_of(number, name)).newest;
}

static void it_has_what_a_plain_list_would_have(void **state)
{
    struct spared_row plain[NAMES] = {{0, 0}};
    uint32_t random = 1;
    struct roll roll;
    char name[32];

    (void)state;
    roll_begin(&roll, SECRET);
    for (unsigned step = 0; step < 20000; step++) {
        random = random * 1664525U + 1013904223U;
        unsigned number = (random >> 8) % NAMES;
        struct spared_row row = {step, step + 1};

        if ((random >> 24) % 3 == 0)
            row = (struct spared_row){0, 0};
        if (row.newest == 0 && (random >> 20) % 2 == 0)
            roll_remove(&roll, name_of(number, name));
        else
            roll_set(&roll, name_of(number, name), &row);
        plain[number] = row;
        size_t count = 0;

        for (unsigned i = 0; i < NAMES; i++)
            count += plain[i].newest != 0;
        assert_int_equal(roll.count, count);
        for (unsigned i = step % 97; i < NAMES; i += 97) {
            const struct spared_row got = roll_find(&roll, name_of(i, name));

            assert_int_equal(got.newest, plain[i].newest);
            assert_int_equal(got.rests, plain[i].rests);
        }
    }
    roll_clear(&roll);
}

static void an_empty_one_knows_nobody(void **state)
{
    struct roll roll;

    (void)state;
    roll_begin(&roll, SECRET);
    assert_int_equal(newest(&roll, 1), 0);
    roll_remove(&roll, "192.0.0.1");
    roll_read_begin(&roll);
    roll_read_end(&roll);
    assert_int_equal(roll.count, 0);
    set(&roll, 1, 5, 6);
    assert_int_equal(roll_find(&roll, "").newest, 0);
    assert_int_equal(roll_find(&roll, "192.0.0.10").newest, 0);
    roll_clear(&roll);
    assert_int_equal(roll.count, 0);
}

static void fill(struct roll *roll, uint32_t day)
{
    roll_begin(roll, SECRET);
    for (unsigned i = 0; i < ROLL_MAX; i++)
        set(roll, i, day, day + (i % 1000 != 0)); // 66 are a day older than the rest
    assert_int_equal(roll->count, ROLL_MAX);
}

static void in_a_full_one_the_oldest_days_give_way(void **state)
{
    struct roll roll;
    unsigned old = 0;

    (void)state;
    fill(&roll, TODAY - 2);
    assert_true(roll.slots * 32 <= 4U << 20);
    for (unsigned i = 0; i < 66; i++) {
        set(&roll, ROLL_MAX + i, TODAY, TODAY);
        assert_int_equal(roll.count, ROLL_MAX);
        assert_int_equal(newest(&roll, ROLL_MAX + i), TODAY);
    }
    for (unsigned i = 0; i < ROLL_MAX; i += 1000)
        old += newest(&roll, i) != 0;
    assert_int_equal(old, 0); // these and no others
    set(&roll, ROLL_MAX + 100, TODAY - 1, TODAY - 1);
    assert_int_equal(newest(&roll, ROLL_MAX + 100), 0); // nobody is older than it
    set(&roll, ROLL_MAX + 101, TODAY, TODAY);
    assert_int_equal(newest(&roll, ROLL_MAX + 101), TODAY);
    set(&roll, ROLL_MAX + 101, TODAY, TODAY + 1); // who is there needs no room
    assert_int_equal(roll.count, ROLL_MAX);
    roll_clear(&roll);
}

static void a_young_one_makes_room_whatever_the_age_of_the_others(void **state)
{
    static const uint32_t AGO[] = {1, 36, 72};

    (void)state;
    for (size_t i = 0; i < sizeof(AGO) / sizeof(AGO[0]); i++) {
        struct roll roll;

        fill(&roll, TODAY - AGO[i]);
        set(&roll, ROLL_MAX, TODAY, TODAY + 1);
        assert_int_equal(newest(&roll, ROLL_MAX), TODAY + 1);
        assert_int_equal(roll.count, ROLL_MAX);
        roll_clear(&roll);
    }
}

static void what_a_reading_did_not_meet_is_gone(void **state)
{
    struct roll roll;

    (void)state;
    roll_begin(&roll, SECRET);
    for (unsigned i = 0; i < 1000; i++)
        set(&roll, i, 1, 2);
    roll_read_begin(&roll);
    for (unsigned i = 0; i < 1000; i += 3)
        set(&roll, i, 1, 3);
    set(&roll, 5000, 1, 3);                // somebody is heard of meanwhile
    assert_int_equal(newest(&roll, 1), 2); // until then it counts
    roll_read_end(&roll);
    assert_int_equal(roll.count, 334 + 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(newest(&roll, i), i % 3 == 0 ? 3 : 0);
    assert_int_equal(newest(&roll, 5000), 3);
    roll_read_begin(&roll); // one that was broken off removes nobody
    roll_read_begin(&roll);
    for (unsigned i = 0; i < 1000; i += 3)
        set(&roll, i, 1, 3);
    roll_read_end(&roll);
    assert_int_equal(roll.count, 334);
    roll_clear(&roll);
}

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A269 A50 A50 A50 A50 A50 "aaaaaaaaaaaaaaaaaaa"

static const struct read_row {
    const char *name;
    const char *client, *value;
    bool is_row;
    uint32_t rests, newest;
} READS[] = {
    {"a row", "192.0.2.1", "19990 20000", true, 19990, 20000},
    {"of one day", "spf:example.org", "20000 20000", true, 20000, 20000},
    {"as far ahead as may be", "x", "20000 20036", true, 20000, 20036},
    {"further", "x", "20000 20037", false, 0, 0},
    {"long over", "x", "0 1", true, 0, 1},
    {"the longest client", A269, "1 2", true, 1, 2},
    {"a longer one", A269 "a", "1 2", false, 0, 0},
    {"nobody", "", "1 2", false, 0, 0},
    {"a line end", "192.0.2.1\n", "1 2", false, 0, 0},
    {"no UTF-8", "\xff", "1 2", false, 0, 0},
    {"days in the wrong order", "x", "20000 19999", false, 0, 0},
    {"no day", "x", "0 0", false, 0, 0},
    {"one number", "x", "20000", false, 0, 0},
    {"one and a blank", "x", "20000 ", false, 0, 0},
    {"nothing", "x", "", false, 0, 0},
    {"three", "x", "1 2 3", false, 0, 0},
    {"a blank too many", "x", "1  2", false, 0, 0},
    {"a blank before", "x", " 1 2", false, 0, 0},
    {"a blank behind", "x", "1 2 ", false, 0, 0},
    {"a sign", "x", "-1 2", false, 0, 0},
    {"hexadecimal", "x", "0x1 2", false, 0, 0},
    {"more than 32 bits", "x", "1 4294967296", false, 0, 0},
    {"far more", "x", "1 18446744073709551617", false, 0, 0},
};

static void check_read(void **state)
{
    const struct read_row *row = *state;
    char value[ROLL_VALUE_MAX];
    struct spared_row got;

    assert_int_equal(roll_read(row->client, row->value, TODAY, &got), row->is_row);
    if (!row->is_row)
        return;
    assert_int_equal(got.rests, row->rests);
    assert_int_equal(got.newest, row->newest);
    roll_value(&got, value);
    assert_string_equal(value, row->value);
}

static void the_largest_row_has_a_value(void **state)
{
    char value[ROLL_VALUE_MAX];

    (void)state;
    roll_value(&(struct spared_row){UINT32_MAX, UINT32_MAX}, value);
    assert_string_equal(value, "4294967295 4294967295");
}

static void it_is_over_a_day_after_the_longest_life(void **state)
{
    (void)state;
    assert_false(roll_is_over(&(struct spared_row){TODAY - 36, TODAY}, TODAY));
    assert_true(roll_is_over(&(struct spared_row){TODAY - 37, TODAY}, TODAY));
    assert_false(roll_is_over(&(struct spared_row){TODAY + 5, TODAY + 5}, TODAY));
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, it_has_what_a_plain_list_would_have);
    TABLE_TEST(&table, an_empty_one_knows_nobody);
    TABLE_TEST(&table, in_a_full_one_the_oldest_days_give_way);
    TABLE_TEST(&table, a_young_one_makes_room_whatever_the_age_of_the_others);
    TABLE_TEST(&table, what_a_reading_did_not_meet_is_gone);
    TABLE_ROWS(&table, READS, check_read);
    TABLE_TEST(&table, the_largest_row_has_a_value);
    TABLE_TEST(&table, it_is_over_a_day_after_the_longest_life);
    return table_run(&table, "the roll of spared clients");
}
