// What a node has of reputation in memory: who reports, and levels that many share.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/parents.h"
#include "node/store/reporters.h"
#include "tests/support/table.h"

// ---- who reports

static struct reporter *set(struct reporters *reporters, const char *name, uint16_t id,
                            double disagreed)
{
    struct store_reporter row = {.id = id, .last_ms = 1000};

    (void)snprintf(row.name, sizeof(row.name), "%s", name);
    row.record.disagreed[1] = disagreed;
    return reporters_set(reporters, &row);
}

// A report's comparison comes after its claim: meanwhile the store may have been told of the report.
static void what_others_say_later_is_news_too(void **state)
{
    const struct reporter_note note = {.is_spam = true, .count = 1, .others_say_spam = {true}};
    struct reporters reporters = {.count = 0};
    struct reporter *reporter = set(&reporters, "mx", 1, 0);

    (void)state;
    assert_false(reporters_has_news(reporter));
    reporters_note(reporter, &note);
    assert_true(reporters_has_news(reporter));
    reporters_read_begin(&reporters);
    reporters_read_end(&reporters);
    assert_non_null(reporters_find(&reporters, "mx"));
    reporters_clear(&reporters);
}

static void readings_remove_who_is_gone(void **state)
{
    const struct reporter_note note = {.now_ms = 2000, .is_spam = true, .weight = 1};
    struct reporters reporters = {.count = 0};

    (void)state;
    (void)set(&reporters, "gone", 1, 100);
    reporters_note(set(&reporters, "busy", 2, 0), &note);
    (void)set(&reporters, "there", 3, 0);
    assert_true(reporters.trust[1] < 0.5F);
    reporters_read_begin(&reporters);
    (void)set(&reporters, "there", 3, 0);
    reporters_read_end(&reporters);
    assert_null(reporters_find(&reporters, "gone"));
    assert_true(reporters.trust[1] == 1);
    assert_non_null(reporters_find(&reporters, "busy")); // there is something to tell of it
    assert_non_null(reporters_find(&reporters, "there"));
    assert_int_equal(reporters.count, 2);
    reporters_clear(&reporters);
}

static void an_id_that_changed_distrusts_nobody(void **state)
{
    struct reporters reporters = {.count = 0};

    (void)state;
    (void)set(&reporters, "mx1", 7, 100);
    assert_true(reporters.trust[7] < 0.5F);
    (void)set(&reporters, "mx1", 8, 100);
    assert_true(reporters.trust[7] == 1);
    assert_true(reporters.trust[8] < 0.5F);
    assert_null(reporters_find_id(&reporters, 7));
    assert_string_equal(reporters_find_id(&reporters, 8)->row.name, "mx1");
    reporters_clear(&reporters);
}

static void active_is_who_reported_within_a_week(void **state)
{
    const struct reporter_note note = {.now_ms = 5000};
    struct reporters reporters = {.count = 0};

    (void)state;
    (void)set(&reporters, "mx1", 1, 0);
    assert_int_equal(reporters_active(&reporters, 1000 + REPUTATION_ACTIVE_MS - 1), 1);
    assert_int_equal(reporters_active(&reporters, 1000 + REPUTATION_ACTIVE_MS), 0);
    reporters_note(reporters_find(&reporters, "mx1"), &note); // which nobody was told yet
    assert_int_equal(reporters_active(&reporters, 5000 + REPUTATION_ACTIVE_MS - 1), 1);
    assert_int_equal(reporters_active(&reporters, 5000 + REPUTATION_ACTIVE_MS), 0);
    reporters_clear(&reporters);
}

// ---- levels that many share

static struct reputation_level level_of(const char *key, double spam)
{
    struct reputation_level level = {.state = spam > 0 ? FACT_PRESENT : FACT_ABSENT};

    assert_true(reputation_id_read(key, &level.id));
    level.is = (struct reputation_state){.spam = spam, .at_s = 1};
    return level;
}

static void levels_are_kept_for_a_moment(void **state)
{
    static const struct {
        const char *key;
        double spam;
    } rows[] = {{"r:n:c00002", 3}, {"r:w:c000", 0},      {"r:g:address", 5},
                {"r:g:sender", 7}, {"r:d:x.example", 2}, {"r:c:US", 0}};
    const uint8_t secret[PARENTS_SECRET_BYTES] = {1};
    struct parents *parents = parents_new(secret);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct reputation_level level = level_of(rows[i].key, rows[i].spam);
        struct reputation_level out = level_of(rows[i].key, 0);

        assert_false(parents_get(parents, rows[i].key, &out, 1000));
        parents_put(parents, rows[i].key, &level, 1000);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reputation_level out = level_of(rows[i].key, 0);

        assert_true(parents_get(parents, rows[i].key, &out, 1000 + PARENTS_KEEP_MS - 1));
        assert_int_equal(out.state, rows[i].spam > 0 ? FACT_PRESENT : FACT_ABSENT);
        assert_true(out.is.spam == rows[i].spam);
        assert_false(parents_get(parents, rows[i].key, &out, 1000 + PARENTS_KEEP_MS));
    }
    struct reputation_level out = level_of("r:n:c00002", 0);

    assert_false(parents_get(parents, "r:n:c00003", &out, 1000));
    parents_drop(parents);
    assert_false(parents_get(parents, "r:n:c00002", &out, 1000));
    out = level_of("r:g:sender", 0);
    assert_false(parents_get(parents, "r:g:sender", &out, 1000));
    parents_free(&parents);
    assert_null(parents);
}

// However many there are, room is bounded, and the newest are there.
static void the_oldest_give_way(void **state)
{
    enum { MANY = 40000, NEWEST = 100 };
    const uint8_t secret[PARENTS_SECRET_BYTES] = {2};
    struct parents *parents = parents_new(secret);
    unsigned found = 0;
    char key[32];

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof(key), "r:n:%06x", i);
        const struct reputation_level level = level_of(key, 1 + i % 8);

        parents_put(parents, key, &level, 1000 + i / 100);
    }
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof(key), "r:n:%06x", i);
        struct reputation_level out = level_of(key, 0);
        const bool is_there = parents_get(parents, key, &out, 1000 + MANY / 100);

        assert_true(!is_there || out.is.spam == 1 + i % 8);
        assert_true(is_there || i < MANY - NEWEST);
        found += is_there;
    }
    assert_true(found <= PARENTS_SETS * PARENTS_WAYS && found > PARENTS_SETS);
    parents_free(&parents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_say_later_is_news_too),
        cmocka_unit_test(readings_remove_who_is_gone),
        cmocka_unit_test(an_id_that_changed_distrusts_nobody),
        cmocka_unit_test(active_is_who_reported_within_a_week),
        cmocka_unit_test(levels_are_kept_for_a_moment),
        cmocka_unit_test(the_oldest_give_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
