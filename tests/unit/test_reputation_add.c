// A report that reaches an entity: what counts, what climbs on, who may hold how much, what is taken out again; and attacks from beginning to
// end. Every value of the tables is worked out by hand; where time passes it is one half-life.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/reputation.h"
#include "tests/support/reputation_near.h"
#include "tests/support/table.h"

enum { DAY_S = 86400, NOW_S = 20000 * DAY_S, MONTH_S = 30 * DAY_S };
static const uint64_t MONTH_MS = 1000ULL * MONTH_S;

// ---- what a reporter may hold

static const struct room_row {
    const char *name;
    double others;
    unsigned active;
    double room;
} ROOMS[] = {
    {"nobody reports", 0, 0, INFINITY},
    {"one reports", 100, 1, INFINITY},
    {"two report", 0, 2, INFINITY},
    {"three, nothing yet", 0, 3, 8},
    {"three: twice the others, less than eight", 3.9, 3, 8},
    {"three: twice the others", 4.5, 3, 9},
    {"four: as much as the others, less than eight", 7.9, 4, 8},
    {"four: as much as the others", 9, 4, 9},
    {"five: two thirds of the others, less than eight", 11.9, 5, 8},
    {"five: two thirds of the others", 15, 5, 10},
    {"six: half of the others, less than eight", 15.9, 6, 8},
    {"six: half of the others", 18, 6, 9},
    {"seven: half of the others as well", 18, 7, 9},
    {"a thousand: half of the others as well", 18, 1000, 9},
};

static void check_room(void **state)
{
    const struct room_row *row = *state;

    assert_near(reputation_room(row->others, row->active), row->room);
}

// ---- one report

#define ENTITY REPUTATION_NET
#define ROOT   REPUTATION_WORLD
enum { ME = 7 };

// A row: what was held, and by whom, so long ago; who reports what; what counts, what climbs on; what is held then, and by the reporter.
// clang-format off
static const struct add_row {
    const char *name;
    enum reputation_kind kind;
    struct { double spam, ham; int ago_s; struct reputation_slot slot[REPUTATION_SLOTS]; } before;
    struct { uint16_t reporter; unsigned active; bool is_spam; double weight, strength; } report;
    struct { double added, onward; bool at_cap; } gives;
    struct { double spam, ham; unsigned slot; double slot_spam, slot_ham; } then;
} ADDS[] = {
    {"the first spam", ENTITY, {0, 0, 0, {{0}}}, {ME, 1, true, 1, 1}, {1, 1, false}, {1, 0, 0, 1, 0}},
    {"the first ham", ENTITY, {0, 0, 0, {{0}}}, {ME, 1, false, 0.5, 1}, {0.5, 0.5, false}, {0, 0.5, 0, 0, 0.5}},
    {"the parent hears of what the child leaned on it", ENTITY,
     {2, 1, 0, {{0}}}, {ME, 1, true, 1, 2}, {1, 0.4, false}, {3, 1, 0, 1, 0}},
    {"a half of a half", ENTITY, {1, 0, 0, {{0}}}, {ME, 1, false, 0.5, 1}, {0.5, 0.25, false}, {1, 0.5, 0, 0, 0.5}},
    {"a month ago: half of it is left", ENTITY,
     {3, 3, MONTH_S, {{ME, 2, 1}, {8, 1, 2}}}, {ME, 1, true, 1, 1}, {1, 0.25, false}, {2.5, 1.5, 0, 2, 0.5}},
    {"it was written a moment later", ENTITY, {3, 0, -9, {{0}}}, {ME, 1, true, 1, 1}, {1, 0.25, false}, {4, 0, 0, 1, 0}},

    {"its own slot, though one before is free", ENTITY,
     {1, 1, 0, {{0}, {8, 1, 0}, {ME, 0, 1}}}, {ME, 1, true, 1, 1}, {1, 1.0 / 3, false}, {2, 1, 2, 1, 1}},
    {"the first free slot", ENTITY,
     {1, 1, 0, {{8, 1, 0}, {0}, {9, 0, 1}}}, {ME, 1, true, 1, 1}, {1, 1.0 / 3, false}, {2, 1, 1, 1, 0}},
    {"the smallest slot, with what is in it", ENTITY,
     {6, 1, 0, {{1, 2, 0}, {2, 1, 0.5}, {3, 0.5, 0.5}, {4, 2.5, 0}}}, {ME, 1, true, 1, 1}, {1, 0.125, false}, {7, 1, 2, 1.5, 0.5}},
    {"the first of the smallest", ENTITY,
     {4, 0, 0, {{1, 2, 0}, {2, 1, 0}, {3, 0, 1}, {4, 1, 0}}}, {ME, 1, false, 1, 1}, {1, 0.2, false}, {4, 1, 1, 1, 1}},
    {"a free slot rather than one that holds nothing", ENTITY,
     {2, 0, 0, {{8, 2, 0}, {9, 0, 0}, {0}}}, {ME, 1, true, 1, 1}, {1, 1 / 3.0, false}, {3, 0, 2, 1, 0}},
    {"a root has sixteen slots", ROOT,
     {4, 0, 0, {{1, 1, 0}, {2, 1, 0}, {3, 1, 0}, {4, 1, 0}}}, {ME, 1, false, 1, 0}, {1, 0, false}, {4, 1, 4, 0, 1}},

    {"three report: eight are enough", ENTITY,
     {8, 0, 0, {{ME, 8, 0}}}, {ME, 3, true, 1, 1}, {0, 0, true}, {8, 0, 0, 8, 0}},
    {"eight of both classes", ENTITY,
     {3, 5, 0, {{ME, 3, 5}}}, {ME, 3, true, 1, 1}, {0, 0, true}, {3, 5, 0, 3, 5}},
    {"a half is left of eight", ENTITY,
     {7.5, 0, 0, {{ME, 7.5, 0}}}, {ME, 3, true, 1, 1}, {0.5, 0.5 / 8.5, true}, {8, 0, 0, 8, 0}},
    {"just eight", ENTITY,
     {7, 0, 0, {{ME, 7, 0}}}, {ME, 3, true, 1, 1}, {1, 0.125, false}, {8, 0, 0, 8, 0}},
    {"two report: no bound", ENTITY,
     {20, 0, 0, {{ME, 20, 0}}}, {ME, 2, true, 3, 1}, {3, 3.0 / 21, false}, {23, 0, 0, 23, 0}},
    {"five report: two thirds of the others", ENTITY,
     {24, 0, 0, {{ME, 9, 0}, {8, 15, 0}}}, {ME, 5, true, 3, 1}, {1, 0.04, true}, {25, 0, 0, 10, 0}},
    {"what was taken over counts as its own", ENTITY, // six report: half of 25, without the 7.5 that are there
     {32, 0, 0, {{1, 8, 0}, {2, 8.5, 0}, {3, 7, 0}, {4, 8.5, 0}}}, {ME, 6, true, 10, 1}, {5.5, 5.5 / 33, true}, {32, 0, 2, 11.296875, 0}},
    {"more is in its slot than is held at all", ENTITY,
     {2, 0, 0, {{ME, 9, 0}}}, {ME, 5, true, 1, 1}, {0, 0, true}, {2, 0, 0, 9, 0}},
    {"a root is bounded too", ROOT,
     {10, 0, 0, {{ME, 8, 0}, {8, 2, 0}}}, {ME, 3, true, 1, 0}, {0, 0, true}, {10, 0, 0, 8, 0}},

    {"just full", ENTITY, {31, 0, 0, {{0}}}, {ME, 1, false, 1, 1}, {1, 1 / 32.0, false}, {31, 1, 0, 0, 1}},
    {"full: the rest makes room", ENTITY,
     {16, 16, 0, {{8, 16, 16}}}, {ME, 1, true, 1, 1}, {1, 1 / 33.0, false}, {16.5, 15.5, 1, 1, 0}},
    {"the slots make room as well", ENTITY,
     {16, 16, 0, {{ME, 16, 8}}}, {ME, 1, true, 16, 1}, {16, 16 / 33.0, false}, {24, 8, 0, 24, 4}},
    {"more than an entity holds", ENTITY,
     {4, 4, 0, {{8, 4, 4}}}, {ME, 1, true, 100, 1}, {32, 32 / 9.0, false}, {32, 0, 1, 4095 / 128.0, 0}},
    {"more than it holds, of one that was empty", ENTITY,
     {0, 0, 0, {{0}}}, {ME, 1, false, 100, 1}, {32, 32, false}, {0, 32, 0, 0, 4095 / 128.0}},
    {"the first of a root", ROOT, {0, 0, 0, {{0}}}, {ME, 1, true, 1, 0}, {1, 0, false}, {1, 0, 0, 1, 0}},
    {"a root is never full", ROOT, {100, 0, 0, {{0}}}, {ME, 1, true, 50, 0}, {50, 0, false}, {150, 0, 0, 50, 0}},

    {"the least that climbs", ENTITY, {0, 0, 0, {{0}}}, {ME, 1, true, 0.001, 1}, {0.001, 0.001, false}, {0.001, 0, 0, 0, 0}},
    {"just that climbs", ENTITY, {1, 0, 0, {{0}}}, {ME, 1, true, 0.002, 1}, {0.002, 0.001, false}, {1.002, 0, 0, 0, 0}},
    {"less than that stays", ENTITY, {1, 0, 0, {{0}}}, {ME, 1, true, 0.00199, 1}, {0.00199, 0, false}, {1.00199, 0, 0, 0, 0}},
    {"no weight", ENTITY, {1, 0, 0, {{0}}}, {ME, 1, true, 0, 1}, {0, 0, false}, {1, 0, 0, 0, 0}},
    {"less than none", ENTITY, {1, 0, 0, {{0}}}, {ME, 1, true, -1, 1}, {0, 0, false}, {1, 0, 0, 0, 0}},
    {"no number", ENTITY, {1, 0, 0, {{0}}}, {ME, 1, true, NAN, 1}, {0, 0, false}, {1, 0, 0, 0, 0}},
    {"nobody reports", ENTITY, {1, 0, 0, {{0}}}, {0, 1, true, 1, 1}, {0, 0, false}, {1, 0, 0, 0, 0}},
    {"no weight, of one that holds too much", ENTITY, {2, 0, 0, {{ME, 9, 0}}}, {ME, 5, true, 0, 1}, {0, 0, false}, {2, 0, 0, 9, 0}},
    {"who may add nothing takes no slot", ENTITY, // and none of theirs: all are at eight, which six leave to each
     {32, 0, 0, {{1, 8, 0}, {2, 8, 0}, {3, 8, 0}, {4, 8, 0}}}, {ME, 6, true, 0, 1}, {0, 0, false}, {32, 0, 0, 0, 0}},
};
// clang-format on

static void check_add(void **state)
{
    const struct add_row *row = *state;
    const struct reputation_level_settings level = {row->report.strength, MONTH_MS};
    const struct reputation_report report = {row->report.reporter, row->report.active,
                                             row->report.is_spam, row->report.weight, NOW_S};
    struct reputation_state is = {
        .spam = row->before.spam,
        .ham = row->before.ham,
        .at_s = (uint32_t)(NOW_S - row->before.ago_s),
        .slot_count = reputation_is_root(row->kind) ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS,
    };
    struct reputation_state before;
    const struct reputation_slot *slot = &is.slot[row->then.slot];
    struct reputation_added added;

    memcpy(is.slot, row->before.slot, sizeof(row->before.slot));
    before = is;
    added = reputation_add(row->kind, &level, &report, &is);
    assert_near(added.added, row->gives.added);
    assert_near(added.onward, row->gives.onward);
    assert_int_equal(added.at_cap, row->gives.at_cap);
    assert_within(is.spam, row->then.spam, row->then.spam * 0x1p-29); // as it is kept
    assert_within(is.ham, row->then.ham, row->then.ham * 0x1p-29);
    if (!(row->gives.added > 0)) {
        assert_memory_equal(&is, &before, sizeof(is));
        return;
    }
    before = is;
    reputation_round(row->kind, &is);
    assert_memory_equal(&is, &before, sizeof(is));
    assert_int_equal(slot->reporter, ME);
    assert_within(slot->spam, row->then.slot_spam, 1 / 128.0);
    assert_within(slot->ham, row->then.slot_ham, 1 / 128.0);
}

static void who_is_new_has_no_slots_yet(void **state)
{
    static const struct reputation_level_settings level = {1, 1000ULL * MONTH_S};
    const struct reputation_report report = {ME, 1, true, 2, NOW_S};
    struct reputation_state is = {0};

    (void)state;
    assert_near(reputation_add(REPUTATION_SENDERS, &level, &report, &is).added, 2);
    assert_int_equal(is.slot_count, REPUTATION_ROOT_SLOTS);
    assert_int_equal(is.first_day, 20000);
    assert_int_equal(is.at_s, NOW_S);
    is = (struct reputation_state){0};
    assert_near(reputation_add(REPUTATION_SENDER, &level, &report, &is).added, 2);
    assert_int_equal(is.slot_count, REPUTATION_SLOTS);
}

// One that is busy tells its parent m ln N, not N.
static void a_busy_child_tells_its_parent_little(void **state)
{
    static const struct reputation_level_settings level = {1, 1000ULL * MONTH_S};
    struct reputation_state is = {0};
    double told = 0;

    (void)state;
    for (unsigned i = 0; i < 32; i++)
        told += reputation_add(REPUTATION_IP, &level,
                               &(struct reputation_report){ME, 1, true, 1, NOW_S}, &is)
                    .onward;
    assert_near(told, 4.058495195436521); // 1 + 1/2 + ... + 1/32
}

// ---- undo

static const struct undo_row {
    const char *name;
    struct reputation_state before;
    uint16_t reporter;
    bool held;
    double spam, ham;
    double other_spam; // what slot 1 holds afterwards
} UNDOS[] = {
    {"what it holds",
     {.spam = 3, .ham = 2, .at_s = NOW_S, .slot = {{ME, 1, 0.5}, {8, 2, 1.5}}},
     ME,
     true,
     2,
     1.5,
     2},
    {"of another",
     {.spam = 3, .ham = 2, .at_s = NOW_S, .slot = {{9, 1, 0.5}, {8, 2, 1.5}}},
     ME,
     false,
     3,
     2,
     2},
    {"an empty slot",
     {.spam = 3, .ham = 2, .at_s = NOW_S, .slot = {{ME, 0, 0}, {8, 2, 1.5}}},
     ME,
     false,
     3,
     2,
     2},
    {"nobody's",
     {.spam = 3, .ham = 2, .at_s = NOW_S, .slot = {{0}, {8, 2, 1.5}}},
     0,
     false,
     3,
     2,
     2},
    {"more than there is",
     {.spam = 3, .ham = 2, .at_s = NOW_S, .slot = {{ME, 4, 2.5}}},
     ME,
     true,
     0,
     0,
     0},
    {"ham alone",
     {.spam = 3, .ham = 2, .at_s = NOW_S, .slot = {{ME, 0, 2}, {8, 2, 0}}},
     ME,
     true,
     3,
     0,
     2},
    {"a month ago",
     {.spam = 6, .ham = 2, .at_s = NOW_S - MONTH_S, .slot = {{ME, 2, 1}, {8, 4, 1}}},
     ME,
     true,
     2,
     0.5,
     2},
};

static void check_undo(void **state)
{
    static const struct reputation_level_settings level = {1, 1000ULL * MONTH_S};
    const struct undo_row *row = *state;
    struct reputation_state is = row->before;
    struct reputation_state before;

    is.slot_count = REPUTATION_SLOTS;
    before = is;
    assert_int_equal(reputation_undo(REPUTATION_IP, &level, row->reporter, NOW_S, &is), row->held);
    assert_near(is.spam, row->spam);
    assert_near(is.ham, row->ham);
    assert_near(is.slot[1].spam, row->other_spam);
    if (!row->held)
        assert_memory_equal(&is, &before, sizeof(is));
    else
        assert_int_equal(is.slot[0].reporter + is.slot[0].spam + is.slot[0].ham, 0);
    assert_false(reputation_undo(REPUTATION_IP, &level, row->reporter, NOW_S, &is));
}

static void what_is_left_is_as_it_is_kept(void **state)
{
    static const struct reputation_level_settings level = {1, 1000ULL * MONTH_S};
    struct reputation_state is = {.spam = 3,
                                  .at_s = NOW_S - 1,
                                  .slot_count = REPUTATION_SLOTS,
                                  .slot = {{ME, 1, 0}, {8, 1, 1}}};
    struct reputation_state kept;

    (void)state;
    assert_true(reputation_undo(REPUTATION_IP, &level, ME, NOW_S, &is));
    kept = is;
    reputation_round(REPUTATION_IP, &kept);
    assert_memory_equal(&is, &kept, sizeof(is));
}

// ---- whole stories: one address, its network and a root, as the store would keep them

enum { STORY_LEVELS = 3 };
static const enum reputation_kind STORY_KIND[STORY_LEVELS] = {REPUTATION_IP, REPUTATION_NET,
                                                              REPUTATION_WORLD};
static const struct reputation_settings STORY_SETTINGS = {
    .level = {
        [REPUTATION_IP] = {1, 1000ULL * 30 * DAY_S},
        [REPUTATION_NET] = {1, 1000ULL * 60 * DAY_S},
        [REPUTATION_WORLD] = {0, 1000ULL * 180 * DAY_S},
    }};
struct story {
    struct reputation_facts facts;
    struct reputation_record record[8];
    float trust[REPUTATION_REPORTERS];
    unsigned active;
    uint32_t now_s;
};

static void story_begin(struct story *story, unsigned active)
{
    *story = (struct story){.active = active, .now_s = NOW_S};
    story->facts.count = story->facts.address_count = STORY_LEVELS;
    for (unsigned i = 0; i < STORY_LEVELS; i++) {
        story->facts.level[i].id.kind = STORY_KIND[i];
        story->facts.level[i].state = FACT_PRESENT;
    }
    for (unsigned i = 0; i < 8; i++)
        story->trust[i] = 1;
}

static double story_judge(const struct story *story)
{
    const struct reputation_reporters reporters = {story->trust, story->active};
    struct reputation_result is;

    reputation_judge(&story->facts, &STORY_SETTINGS, &reporters, REPUTATION_UNASKED,
                     story->now_s * 1000ULL, &is);
    return is.p;
}

// judges: what it says is held against what others are sure of.
static void story_report(struct story *story, uint16_t reporter, bool is_spam, bool judges)
{
    const struct reputation_reporters reporters = {story->trust, story->active};
    struct reputation_report report = {reporter, story->active, is_spam, 0, ++story->now_s};
    bool others_spam;

    report.weight = reputation_trust(&story->record[reporter]);
    if (judges && reputation_others(&story->facts, false, reporter, &STORY_SETTINGS, &reporters,
                                    story->now_s * 1000ULL, &others_spam))
        reputation_record_note(&story->record[reporter], others_spam, others_spam == is_spam);
    story->trust[reporter] = (float)reputation_trust(&story->record[reporter]);
    for (unsigned i = 0; i < STORY_LEVELS && report.weight > 0; i++)
        report.weight = reputation_add(STORY_KIND[i], &STORY_SETTINGS.level[STORY_KIND[i]], &report,
                                       &story->facts.level[i].is)
                            .onward;
}

static void story_undo(struct story *story, uint16_t reporter)
{
    for (unsigned i = 0; i < STORY_LEVELS; i++)
        (void)reputation_undo(STORY_KIND[i], &STORY_SETTINGS.level[STORY_KIND[i]], reporter,
                              story->now_s, &story->facts.level[i].is);
}

// Four gateways know an address as good; the fifth calls it spam ten thousand times.
static void poison(bool judges)
{
    struct story story;
    double before, worst = 0;

    story_begin(&story, 5);
    for (unsigned i = 0; i < 200; i++)
        story_report(&story, (uint16_t)(1 + i % 4), false, judges);
    before = story_judge(&story);
    for (unsigned i = 0; i < 10000; i++) {
        story_report(&story, 5, true, judges);
        worst = story_judge(&story) > worst ? story_judge(&story) : worst;
    }
    assert_true(before < 0.001);
    assert_true(worst <= 0.34);
    // With nothing but the cap it gets as far as that; its distrust stops it long before.
    assert_true(judges ? worst < 0.05 && story.trust[5] == 0 : worst > 0.15);
    for (unsigned i = 1; i <= 4; i++)
        assert_true(story.trust[i] == 1);
    story_undo(&story, 5);
    assert_within(story_judge(&story), before, 0.02);
}

static void one_of_five_cannot_poison(void **state)
{
    (void)state;
    poison(true);
}

static void one_of_five_cannot_poison_where_only_the_cap_holds_it(void **state)
{
    (void)state;
    poison(false);
}

static void a_hijack_is_seen_within_100(void **state)
{
    (void)state;
    for (unsigned gateways = 1; gateways <= 5; gateways++) {
        struct story story;
        unsigned until = 0;

        story_begin(&story, gateways);
        for (unsigned i = 0; i < 200; i++)
            story_report(&story, (uint16_t)(1 + i % gateways), false, true);
        while (story_judge(&story) < 0.9 && until < 1000)
            story_report(&story, (uint16_t)(1 + until++ % gateways), true, true);
        assert_in_range(until, 30, 100);
    }
}

int main(void)
{
    struct table table = {.count = 0};

    TABLE_ROWS(&table, ROOMS, check_room);
    TABLE_ROWS(&table, ADDS, check_add);
    TABLE_TEST(&table, who_is_new_has_no_slots_yet);
    TABLE_TEST(&table, a_busy_child_tells_its_parent_little);
    TABLE_ROWS(&table, UNDOS, check_undo);
    TABLE_TEST(&table, what_is_left_is_as_it_is_kept);
    TABLE_TEST(&table, one_of_five_cannot_poison);
    TABLE_TEST(&table, one_of_five_cannot_poison_where_only_the_cap_holds_it);
    TABLE_TEST(&table, a_hijack_is_seen_within_100);
    return table_run(&table, "reputation_add");
}
