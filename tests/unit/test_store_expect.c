// Expected mail: the table that a node mirrors, the rows it believes, and what an operator changes
// in a real Redis, as two nodes see it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/mem.h"
#include "tests/support/store_scene.h"
#include "tests/support/table.h"

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A200 A50 A50 A50 A50
#define A575 A200 A200 A50 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaa"

// ---- rows

static const struct read_row {
    const char *name;
    const char *field, *value;
    const char *recipient; // NULL = no row
    uint64_t until_ms, since_ms;
    const char *note;
} READS[] = {
    {"a row", "b@x.example 7", "5 a code", "b@x.example", 7, 5, "a code"},
    {"without a note", "b@x.example 7", "5 ", "b@x.example", 7, 5, ""},
    {"not even a blank", "b@x.example 7", "5", "b@x.example", 7, 5, ""},
    {"a quoted name", "\"b b\"@x.example 7", "5 n", "\"b b\"@x.example", 7, 5, "n"},
    {"the longest recipient", A575 " 7", "5 ", A575, 7, 5, ""},
    {"a longer one", A575 "a 7", "5 ", NULL, 0, 0, NULL},
    {"the last moment", "b@x 281474976710655", "5 ", "b@x", 281474976710655, 5, ""},
    {"one more", "b@x 281474976710656", "5 ", NULL, 0, 0, NULL},
    {"far more than a number", "b@x 99999999999999999999999", "5 ", NULL, 0, 0, NULL},
    {"no moment", "b@x.example", "5 ", NULL, 0, 0, NULL},
    {"nothing behind the blank", "b@x.example ", "5 ", NULL, 0, 0, NULL},
    {"a moment with a sign", "b@x.example -7", "5 ", NULL, 0, 0, NULL},
    {"a moment and a letter", "b@x.example 7a", "5 ", NULL, 0, 0, NULL},
    {"until nothing", "b@x.example 0", "5 ", NULL, 0, 0, NULL},
    {"nobody", " 7", "5 ", NULL, 0, 0, NULL},
    {"empty", "", "", NULL, 0, 0, NULL},
    {"no since", "b@x.example 7", "", NULL, 0, 0, NULL},
    {"since a word", "b@x.example 7", "now code", NULL, 0, 0, NULL},
    {"since and a letter", "b@x.example 7", "5n", NULL, 0, 0, NULL},
    {"a line end in a name", "b\n@x.example 7", "5 ", NULL, 0, 0, NULL},
    {"an escape in a note", "b@x.example 7", "5 \x1b[2J", NULL, 0, 0, NULL},
    {"no UTF-8", "b\xff@x.example 7", "5 ", NULL, 0, 0, NULL},
    {"the longest note", "b@x 7", "5 " A50 A50 "aaaaaaaaaaaaaaaaaaaa", "b@x", 7, 5,
     A50 A50 "aaaaaaaaaaaaaaaaaaaa"},
    {"a longer note", "b@x 7", "5 " A50 A50 "aaaaaaaaaaaaaaaaaaaaa", NULL, 0, 0, NULL},
};

static void check_read(void **state)
{
    const struct read_row *row = *state;
    char recipient[EXPECT_RECIPIENT_MAX + 1];
    char field[EXPECT_FIELD_MAX];
    char value[EXPECT_VALUE_MAX];
    struct expectation again;
    struct expectation got;

    assert_int_equal(mirror_read(row->field, row->value, recipient, &got), row->recipient != NULL);
    if (row->recipient == NULL)
        return;
    assert_string_equal(got.recipient, row->recipient);
    assert_int_equal(got.until_ms, row->until_ms);
    assert_int_equal(got.since_ms, row->since_ms);
    assert_string_equal(got.note, row->note);
    mirror_field(&got, field); // and back
    mirror_value(&got, value);
    assert_string_equal(field, row->field);
    char other[EXPECT_RECIPIENT_MAX + 1];

    assert_true(mirror_read(field, value, other, &again));
    assert_string_equal(again.note, row->note);
}

// ---- the table

static void set(struct mirror *mirror, const char *recipient, uint64_t until_ms)
{
    mirror_set(mirror,
               &(struct expectation){.recipient = recipient, .until_ms = until_ms, .note = "n"});
}

static uint64_t until(const struct mirror *mirror, const char *recipient)
{
    const struct expectation *row = mirror_find(mirror, recipient);

    return row != NULL ? row->until_ms : 0;
}

static void it_finds_what_was_set_and_nothing_else(void **state)
{
    struct mirror mirror = {.count = 0};

    (void)state;
    assert_null(mirror_find(&mirror, "a"));
    mirror_remove(&mirror, "a");
    assert_null(mirror_first_to_end(&mirror));
    set(&mirror, "c", 3);
    set(&mirror, "a", 1);
    set(&mirror, "b", 2);
    assert_int_equal(until(&mirror, "a"), 1);
    assert_int_equal(until(&mirror, "b"), 2);
    assert_int_equal(until(&mirror, "c"), 3);
    assert_int_equal(until(&mirror, ""), 0);
    assert_int_equal(until(&mirror, "aa"), 0);
    assert_int_equal(until(&mirror, "d"), 0);
    set(&mirror, "b", 9); // instead
    assert_int_equal(mirror.count, 3);
    assert_int_equal(until(&mirror, "b"), 9);
    mirror_set(&mirror, mirror_find(&mirror, "b")); // itself
    assert_int_equal(until(&mirror, "b"), 9);
    assert_string_equal(mirror_first_to_end(&mirror)->recipient, "a");
    mirror_remove(&mirror, "b");
    assert_int_equal(until(&mirror, "b"), 0);
    assert_int_equal(mirror.count, 2);
    mirror_clear(&mirror);
    assert_int_equal(mirror.count, 0);
}

static void many_at_once_are_put_in_order(void **state)
{
    struct mirror mirror = {.count = 0};
    static const struct expectation ROWS[] = {
        {"b", 2, 0, "x"}, {"a", 5, 0, "later"}, {"c", 3, 0, "x"},
        {"a", 4, 0, "x"}, {"a", 1, 0, "x"},
    };

    (void)state;
    mirror_settle(&mirror); // nothing is fine
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        assert_true(mirror_append(&mirror, &ROWS[i]));
    mirror_settle(&mirror);
    assert_int_equal(mirror.count, 3);
    assert_int_equal(until(&mirror, "a"), 5);
    assert_string_equal(mirror_find(&mirror, "a")->note, "later");
    assert_int_equal(until(&mirror, "b"), 2);
    assert_int_equal(until(&mirror, "c"), 3);
    mirror_clear(&mirror);
}

static void it_is_bounded(void **state)
{
    struct mirror mirror = {.count = 0};
    struct expectation row = {.until_ms = 1, .note = ""};
    char recipient[32];

    (void)state;
    row.recipient = recipient;
    for (unsigned i = 0; i < EXPECT_MAX; i++) {
        (void)snprintf(recipient, sizeof(recipient), "r%u@x.example", i);
        row.until_ms = 1000 + (i + 5000) % EXPECT_MAX; // r5000 ends first
        assert_true(mirror_append(&mirror, &row));
    }
    (void)snprintf(recipient, sizeof(recipient), "one more");
    assert_false(mirror_append(&mirror, &row));
    mirror_settle(&mirror);
    assert_int_equal(mirror.count, EXPECT_MAX);
    set(&mirror, "one more", 5);
    assert_int_equal(mirror.count, EXPECT_MAX);
    assert_int_equal(until(&mirror, "one more"), 5);
    assert_int_equal(until(&mirror, "r5000@x.example"), 0);
    set(&mirror, "one more", 6); // its own place
    assert_int_equal(mirror.count, EXPECT_MAX);
    assert_int_equal(until(&mirror, "r5001@x.example"), 1001);
    mirror_clear(&mirror);
}

static const struct page_row {
    const char *name;
    const char *after;
    uint64_t now_ms;
    size_t max;
    const char *expect;
} PAGES[] = {
    {"all", "", 1, 9, "abc"},
    {"the first", "", 1, 1, "a"},
    {"none is asked for", "", 1, 0, ""},
    {"behind one", "a", 1, 9, "bc"},
    {"behind one that is not there", "aa", 1, 9, "bc"},
    {"behind the last", "c", 1, 9, ""},
    {"until exactly then", "", 10, 9, "abc"},
    {"and no longer", "", 11, 9, "bc"},
    {"all are over", "", 31, 9, ""},
};

static void check_page(void **state)
{
    const struct page_row *row = *state;
    struct mirror mirror = {.count = 0};
    struct expectation out[9];
    char got[10] = "";

    set(&mirror, "b", 20);
    set(&mirror, "c", 30);
    set(&mirror, "a", 10);
    size_t count = mirror_page(&mirror, row->after, row->now_ms, out, row->max);

    for (size_t i = 0; i < count; i++)
        got[i] = out[i].recipient[0];
    assert_string_equal(got, row->expect);
    mirror_clear(&mirror);
}

// ---- two nodes

struct heard {
    unsigned calls;
    enum store_state state;
    bool has_row;
    uint64_t until_ms;
};

static void heard(void *arg, enum store_state state, const struct expectation *expectation)
{
    struct heard *out = arg;

    out->calls++;
    out->state = state;
    out->has_row = expectation != NULL;
    out->until_ms = expectation != NULL ? expectation->until_ms : 0;
}

static bool was_heard(void *arg)
{
    return ((struct heard *)arg)->calls > 0;
}

static struct heard add(struct scene *scene, const char *recipient, uint64_t until_ms)
{
    const struct expectation row = {recipient, until_ms, 1, "a code"};
    struct heard out = {.calls = 0};

    store_expect_add(scene->store, &row, (struct expect_done){heard, &out});
    stage_until(&scene->stage, was_heard, &out);
    assert_int_equal(out.calls, 1);
    return out;
}

static struct heard take_away(struct scene *scene, const char *recipient)
{
    struct heard out = {.calls = 0};

    store_expect_remove(scene->store, recipient, (struct expect_done){heard, &out});
    stage_until(&scene->stage, was_heard, &out);
    assert_int_equal(out.calls, 1);
    return out;
}

struct wanted {
    struct store *store;
    const char *recipient;
    uint64_t until_ms;
};

static bool expects(void *arg)
{
    const struct wanted *wanted = arg;

    return store_expected(wanted->store, wanted->recipient) == wanted->until_ms;
}

static void until_expected(struct scene *scene, struct store *store, const char *recipient,
                           uint64_t until_ms)
{
    struct wanted wanted = {store, recipient, until_ms};

    stage_until(&scene->stage, expects, &wanted);
}

static struct store *second_node(struct scene *scene)
{
    struct store *other = stage_store(&scene->stage, &scene->stage.config);

    stage_until_state(&scene->stage, other, STORE_UP);
    stage_until(&scene->stage, follows_events, other);
    return other;
}

static void what_one_says_both_heed(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    struct store *other = second_node(&scene);
    uint64_t until_ms = store_now_ms(scene.store) + 60000;
    struct heard out = add(&scene, "bob@x.example", until_ms);

    assert_int_equal(out.state, STORE_UP);
    assert_int_equal(out.until_ms, until_ms);
    assert_int_equal(store_expected(scene.store, "bob@x.example"), until_ms); // at once
    uint64_t told_ms = clock_mono_ms();

    until_expected(&scene, other, "bob@x.example", until_ms);
    assert_in_range(clock_mono_ms() - told_ms, 0, 1000 + 500);
    assert_int_equal(store_expected(other, "ann@x.example"), 0);
    (void)add(&scene, "bob@x.example", until_ms - 30000); // said again: shorter
    assert_int_equal(stage_number(&scene.stage, "HLEN expect:{p}"), 1);
    until_expected(&scene, other, "bob@x.example", until_ms - 30000);
    assert_true(take_away(&scene, "bob@x.example").has_row);
    assert_int_equal(store_expected(scene.store, "bob@x.example"), 0);
    until_expected(&scene, other, "bob@x.example", 0);
    assert_int_equal(stage_number(&scene.stage, "EXISTS expect:{p}"), 0);
    assert_false(take_away(&scene, "bob@x.example").has_row);
    store_free(&other);
    scene_close(&scene);
}

static void each_recipient_is_cancelled_alone(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t until_ms = store_now_ms(scene.store) + 60000;

    (void)add(&scene, "ann@x.example", until_ms);
    (void)add(&scene, "bob@x.example", until_ms);
    assert_true(take_away(&scene, "bob@x.example").has_row);
    assert_int_equal(stage_number(&scene.stage, "HLEN expect:{p}"), 1);
    assert_false(take_away(&scene, "bob").has_row);
    assert_int_equal(stage_number(&scene.stage, "HLEN expect:{p}"), 1);
    assert_int_equal(store_expected(scene.store, "ann@x.example"), until_ms);
    scene_close(&scene);
}

static void said_again_until_the_same_moment_it_stays(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t until_ms = store_now_ms(scene.store) + 60000;

    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(add(&scene, "bob@x.example", until_ms).state, STORE_UP);
    assert_int_equal(stage_number(&scene.stage, "HLEN expect:{p}"), 1);
    assert_int_equal(store_expected(scene.store, "bob@x.example"), until_ms);
    scene_close(&scene);
}

// More than one command can name: the rest goes when all of it is read the next time.
static void many_long_rows_that_are_over_are_removed(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "EVAL %s 0",
             "for i = 1, 40 do redis.call('hset', 'expect:{p}', string.rep('r', 500) .. i .. "
             "'@x.example 5', '4 n') end");
    for (long long left = 40, before = 41; left > 0 && left < before;) {
        uint64_t until_ms = clock_mono_ms() + 5000;

        before = left;
        stage_do(&scene.stage, "DEL events:{p}"); // read all of it again
        while (left == before && clock_mono_ms() < until_ms) {
            stage_run(&scene.stage, 20);
            left = stage_number(&scene.stage, "HLEN expect:{p}");
        }
    }
    assert_int_equal(stage_number(&scene.stage, "EXISTS expect:{p}"), 0);
    scene_close(&scene);
}

static void in_a_full_store_the_one_that_ends_first_gives_way(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t now_ms = store_now_ms(scene.store);
    char script[256];

    (void)snprintf(script, sizeof(script),
                   "for i = 1, %d do redis.call('hset', 'expect:{p}', 'r' .. i .. '@x.example ' .. "
                   "string.format('%%.0f', %llu + i), '4 n') end",
                   EXPECT_MAX, (unsigned long long)(now_ms + 3600000));
    stage_do(&scene.stage, "EVAL %s 0", script);
    stage_do(&scene.stage, "DEL events:{p}");
    until_expected(&scene, scene.store, "r1@x.example", now_ms + 3600001);
    assert_int_equal(add(&scene, "bob@x.example", now_ms + 60000).state, STORE_UP);
    assert_int_equal(stage_number(&scene.stage, "HLEN expect:{p}"), EXPECT_MAX);
    assert_int_equal(store_expect_count(scene.store), EXPECT_MAX);
    assert_int_equal(store_expected(scene.store, "r1@x.example"), 0);
    assert_int_equal(store_expected(scene.store, "r2@x.example"), now_ms + 3600002);
    assert_int_equal(store_expected(scene.store, "bob@x.example"), now_ms + 60000);
    scene_close(&scene);
}

static void a_node_that_comes_later_has_it_too(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t until_ms = store_now_ms(scene.store) + 60000;

    (void)add(&scene, "bob@x.example", until_ms);
    stage_do(&scene.stage, "DEL events:{p}"); // not from the stream
    struct store *other = second_node(&scene);

    until_expected(&scene, other, "bob@x.example", until_ms);
    struct expectation page[2];

    assert_int_equal(store_expect_list(other, "", page, 2), 1);
    assert_string_equal(page[0].note, "a code");
    assert_int_equal(store_expect_count(other), 1);
    store_free(&other);
    scene_close(&scene);
}

static void it_is_kept_as_long_as_it_can_hold(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    (void)add(&scene, "bob@x.example", store_now_ms(scene.store) + EXPECT_MOST_MS);
    assert_in_range(stage_number(&scene.stage, "TTL expect:{p}"), 24 * 3600 + 60, 26 * 3600);
    assert_in_range(stage_number(&scene.stage, "TTL events:{p}"), 6 * 24 * 3600, 8 * 24 * 3600);
    scene_close(&scene);
}

static void rows_that_are_over_are_removed_and_others_stay(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t now_ms = store_now_ms(scene.store);

    stage_do(&scene.stage, "EVAL %s 0",
             "for i = 1, 50 do redis.call('hset', 'expect:{p}', 'r' .. i .. '@x.example 5', '4 n') "
             "end");
    stage_do(&scene.stage, "HSET expect:{p} %s %s", "of a later version", "x");
    (void)add(&scene, "r7@x.example", now_ms + 60000);
    stage_do(&scene.stage, "DEL events:{p}"); // read all of it again
    uint64_t until_ms = clock_mono_ms() + 5000;

    while (stage_number(&scene.stage, "HLEN expect:{p}") > 2 && clock_mono_ms() < until_ms)
        stage_run(&scene.stage, 20);
    assert_int_equal(stage_number(&scene.stage, "HLEN expect:{p}"), 2);
    assert_int_equal(store_expected(scene.store, "r7@x.example"), now_ms + 60000);
    assert_int_equal(store_expect_count(scene.store), 1);
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] > 0); // and it is told
    scene_close(&scene);
}

static void of_two_rows_the_later_counts_and_both_are_cancelled(void **state)
{
    struct scene scene;
    char field[64];

    (void)state;
    scene_open(&scene);
    uint64_t now_ms = store_now_ms(scene.store);

    for (unsigned i = 1; i <= 2; i++) {
        (void)snprintf(field, sizeof(field), "bob@x.example %llu",
                       (unsigned long long)(now_ms + i * 60000));
        stage_do(&scene.stage, "HSET expect:{p} %s %s", field, "4 by hand");
    }
    stage_do(&scene.stage, "DEL events:{p}");
    until_expected(&scene, scene.store, "bob@x.example", now_ms + 120000);
    struct heard out = take_away(&scene, "bob@x.example");

    assert_int_equal(out.until_ms, now_ms + 120000);
    assert_int_equal(stage_number(&scene.stage, "EXISTS expect:{p}"), 0);
    scene_close(&scene);
}

static void a_store_that_takes_no_event_says_so(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t until_ms = store_now_ms(scene.store) + 60000;

    stage_do(&scene.stage, "SET events:{p} x");
    struct heard out = add(&scene, "bob@x.example", until_ms);

    assert_int_equal(out.state, STORE_ERROR);
    assert_true(out.has_row); // stored, and heeded here
    assert_int_equal(store_expected(scene.store, "bob@x.example"), until_ms);
    out = take_away(&scene, "bob@x.example");
    assert_int_equal(out.state, STORE_ERROR);
    assert_true(out.has_row);
    scene_close(&scene);
}

static void a_store_that_takes_nothing_changes_nothing(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t until_ms = store_now_ms(scene.store) + 60000;

    (void)add(&scene, "bob@x.example", until_ms);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    struct heard out = add(&scene, "ann@x.example", until_ms);

    assert_int_equal(out.state, STORE_FULL);
    assert_false(out.has_row);
    assert_int_equal(store_expected(scene.store, "ann@x.example"), 0);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_equal(store_expected(scene.store, "bob@x.example"), until_ms); // it is remembered
    out = add(&scene, "ann@x.example", until_ms);
    assert_false(out.has_row);
    assert_int_not_equal(out.state, STORE_UP);
    out = take_away(&scene, "bob@x.example");
    assert_false(out.has_row);
    assert_int_not_equal(out.state, STORE_UP);
    assert_int_equal(store_expected(scene.store, "bob@x.example"), until_ms);
    scene_close(&scene);
}

static void a_hash_that_is_none_leaves_what_is_known(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    uint64_t until_ms = store_now_ms(scene.store) + 60000;

    (void)add(&scene, "bob@x.example", until_ms);
    stage_do(&scene.stage, "SET expect:{p} x");
    stage_do(&scene.stage, "DEL events:{p}");
    uint64_t errors = store_counters(scene.store)->errors[STORE_ERROR];
    uint64_t limit_ms = clock_mono_ms() + 5000;

    while (store_counters(scene.store)->errors[STORE_ERROR] == errors && clock_mono_ms() < limit_ms)
        stage_run(&scene.stage, 20);
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] > errors);
    assert_int_equal(store_expected(scene.store, "bob@x.example"), until_ms);
    assert_false(take_away(&scene, "bob@x.example").has_row);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, READS, check_read);
    TABLE_TEST(&table, it_finds_what_was_set_and_nothing_else);
    TABLE_TEST(&table, many_at_once_are_put_in_order);
    TABLE_TEST(&table, it_is_bounded);
    TABLE_ROWS(&table, PAGES, check_page);
    TABLE_TEST(&table, what_one_says_both_heed);
    TABLE_TEST(&table, each_recipient_is_cancelled_alone);
    TABLE_TEST(&table, said_again_until_the_same_moment_it_stays);
    TABLE_TEST(&table, many_long_rows_that_are_over_are_removed);
    TABLE_TEST(&table, in_a_full_store_the_one_that_ends_first_gives_way);
    TABLE_TEST(&table, a_node_that_comes_later_has_it_too);
    TABLE_TEST(&table, it_is_kept_as_long_as_it_can_hold);
    TABLE_TEST(&table, rows_that_are_over_are_removed_and_others_stay);
    TABLE_TEST(&table, of_two_rows_the_later_counts_and_both_are_cancelled);
    TABLE_TEST(&table, a_store_that_takes_no_event_says_so);
    TABLE_TEST(&table, a_store_that_takes_nothing_changes_nothing);
    TABLE_TEST(&table, a_hash_that_is_none_leaves_what_is_known);
    return table_run(&table, "expected mail");
}
