// What is kept of an entity: decay, rounding, bytes, life, and how much mail it sends. Every value is worked out by hand.
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

enum { DAY_S = 86400, NOW_S = 20000 * DAY_S };
static const struct reputation_level_settings MONTH = {1, 30ULL * DAY_S * 1000};

// ---- decay

static const struct decay_row {
    const char *name;
    uint32_t at_s, now_s;
    double half_life_s;
    double weight, hour, week; // of 1
    uint32_t then_at_s;
} DECAYS[] = {
    {"the same moment", NOW_S, NOW_S, DAY_S, 1, 1, 1, NOW_S},
    {"a moment before", NOW_S, NOW_S - 1, DAY_S, 1, 1, 1, NOW_S},
    {"years before", NOW_S, 1, DAY_S, 1, 1, 1, NOW_S},
    {"one half-life of the hour", NOW_S, NOW_S + 3600, 3600 * 3, 0.7937005259840998, 0.5,
     0.9958826236582974, NOW_S + 3600},
    {"one half-life of the week", NOW_S, NOW_S + 7 * DAY_S, 14.0 * DAY_S, 0.7071067811865476,
     2.6727647100921956e-51, 0.5, NOW_S + 7 * DAY_S},
    {"one half-life of weights", NOW_S, NOW_S + 30 * DAY_S, 30.0 * DAY_S, 0.5, 0,
     0.05127095975047737, NOW_S + 30 * DAY_S},
    {"two of them", NOW_S, NOW_S + 60 * DAY_S, 30.0 * DAY_S, 0.25, 0, 0.002628711313735071,
     NOW_S + 60 * DAY_S},
    {"one second of 180 days", NOW_S, NOW_S + 1, 180.0 * DAY_S, 0.999999955430352,
     0.9998074776513175, 0.9999988539239694, NOW_S + 1},
};

static void check_decay(void **state)
{
    const struct decay_row *row = *state;
    struct reputation_state is = {
        .spam = 1,
        .ham = 2,
        .hour = 1,
        .week = 1,
        .at_s = row->at_s,
        .first_day = 7,
        .slot_count = REPUTATION_SLOTS,
        .slot = {{1, 1, 0}, {0, 0, 0}, {2, 0.5, 4}, {3, 0, 8}},
    };

    reputation_decay(&is, row->now_s, row->half_life_s);
    assert_near(is.spam, row->weight);
    assert_near(is.ham, 2 * row->weight);
    assert_near(is.hour, row->hour);
    assert_near(is.week, row->week);
    assert_int_equal(is.at_s, row->then_at_s);
    assert_int_equal(is.first_day, 7);
    assert_near(is.slot[0].spam, row->weight);
    assert_near(is.slot[2].spam, row->weight / 2);
    assert_near(is.slot[2].ham, row->weight * 4);
    assert_near(is.slot[3].ham, row->weight * 8);
}

static void a_root_decays_in_all_its_slots(void **state)
{
    struct reputation_state is = {.at_s = NOW_S, .slot_count = REPUTATION_ROOT_SLOTS};

    (void)state;
    is.slot[15] = (struct reputation_slot){9, 4, 8};
    reputation_decay(&is, NOW_S + DAY_S, DAY_S);
    assert_near(is.slot[15].spam, 2);
    assert_near(is.slot[15].ham, 4);
}

static void the_first_writing_has_its_day(void **state)
{
    struct reputation_state is = {0};

    (void)state;
    reputation_decay(&is, NOW_S + DAY_S - 1, DAY_S);
    assert_int_equal(is.first_day, 20000);
    assert_int_equal(is.at_s, NOW_S + DAY_S - 1);
    reputation_decay(&is, NOW_S + DAY_S, DAY_S);
    assert_int_equal(is.first_day, 20000);
}

// ---- rounding

static const struct real_row {
    const char *name;
    double is, weight, hour, week; // what becomes of it as each of them
} REALS[] = {
    {"nothing", 0, 0, 0, 0},
    {"one", 1, 1, 1, 1},
    {"dust", 0x1p-20, 0x1p-20, 0x1p-20, 0x1p-20},
    {"less than dust", 0x1.fffffffffffffp-21, 0, 0, 0},
    {"29 bits", 1 + 0x1p-28, 1 + 0x1p-28, 1, 1},
    {"half of the 29th", 1 + 0x1p-29, 1 + 0x1p-28, 1, 1},
    {"less than half of it", 1 + 0x1.8p-30, 1, 1, 1},
    {"half of it, behind another", 1 + 0x1.8p-28, 1 + 0x1p-27, 1, 1},
    {"24 bits", 1 + 0x1p-23, 1 + 0x1p-23, 1, 1 + 0x1p-23},
    {"half of the 24th", 1 + 0x1p-24, 1 + 0x1p-24, 1, 1 + 0x1p-23},
    {"less than half of it", 1 + 0x1.ep-25, 1 + 0x1.ep-25, 1, 1},
    {"16 bits", 1 + 0x1p-15, 1 + 0x1p-15, 1 + 0x1p-15, 1 + 0x1p-15},
    {"half of the 16th", 1 + 0x1p-16, 1 + 0x1p-16, 1 + 0x1p-15, 1 + 0x1p-16},
    {"less than half of it", 1 + 0x1.fp-17, 1 + 0x1.fp-17, 1, 1 + 0x1.fp-17},
    {"up to the next power", 131071, 131071, 131072, 131071},
    {"a big number", 16777217, 16777217, 16777216, 16777218},
};

static void check_real(void **state)
{
    const struct real_row *row = *state;
    struct reputation_state is = {
        .spam = row->is, .ham = row->is, .hour = row->is, .week = row->is, .at_s = NOW_S};
    struct reputation_state root = is;

    root.slot[0] = (struct reputation_slot){1, row->is, row->is};
    reputation_round(REPUTATION_DOMAIN, &is);
    assert_true(is.spam == row->weight && is.ham == row->weight);
    assert_true(is.hour == row->hour && is.week == row->week);
    reputation_round(REPUTATION_SENDERS, &root);
    assert_true(root.spam == (row->weight > 0 ? row->is : 0) && root.ham == root.spam);
    assert_true(root.hour == row->hour && root.week == row->week);
    assert_true(root.slot[0].spam == root.spam && root.slot[0].ham == root.ham);
}

static const struct slot_row {
    const char *name;
    uint32_t at_s;
    unsigned slot;
    bool is_ham;
    double parts; // of 1/128
    unsigned
        then_parts; // (40503 at_s + 24109 place) / 65536 is added, and what is left over dropped
} SLOTS[] = {
    {"nothing", 1, 0, false, 0, 0},
    {"whole parts stay", 1, 3, true, 77, 77},
    {"whole parts stay, at any moment", 0xffffffff, 3, true, 4094, 4094},
    {"place 0: nothing is added", 0, 0, false, 0.999, 0},
    {"place 1: 0.3679, not enough", 0, 0, true, 0.632, 0},
    {"place 1: 0.3679, enough", 0, 0, true, 0.633, 1},
    {"place 2: 0.7357, not enough", 0, 1, false, 5.264, 5},
    {"place 2: 0.7357, enough", 0, 1, false, 5.265, 6},
    {"place 7: 0.5751, not enough", 0, 3, true, 0.4248, 0},
    {"place 7: 0.5751, enough", 0, 3, true, 0.4249, 1},
    {"one second: 0.6180, not enough", 1, 0, false, 0.381, 0},
    {"one second: 0.6180, enough", 1, 0, false, 0.382, 1},
    {"the last second: 0.3820, not enough", 0xffffffff, 0, false, 0.618, 0},
    {"the last second: 0.3820, enough", 0xffffffff, 0, false, 0.619, 1},
    {"the most", 1, 2, false, 4095, 4095},
    {"more than the most", 1, 2, false, 4096, 4095},
    {"much more than the most", 1, 2, true, 1e9, 4095},
};

static void check_slot(void **state)
{
    const struct slot_row *row = *state;
    struct reputation_state is = {.at_s = row->at_s};
    struct reputation_slot *slot = &is.slot[row->slot];
    double *weight = row->is_ham ? &slot->ham : &slot->spam;

    slot->reporter = 1;
    *weight = row->parts / 128;
    reputation_round(REPUTATION_IP, &is);
    assert_true(*weight == row->then_parts / 128.0);
    assert_int_equal(is.slot_count, REPUTATION_SLOTS);
    reputation_round(REPUTATION_IP, &is);
    assert_true(*weight == row->then_parts / 128.0);
}

static void a_free_slot_holds_nothing(void **state)
{
    struct reputation_state is = {.at_s = NOW_S, .slot = {{0, 3, 4}}};

    (void)state;
    reputation_round(REPUTATION_IP, &is);
    assert_true(is.slot[0].spam == 0 && is.slot[0].ham == 0);
}

// What is written every second decays and grows as if it were written once.
static void rounding_every_second_loses_nothing(void **state)
{
    struct reputation_state is = {.spam = 20,
                                  .at_s = NOW_S,
                                  .slot_count = REPUTATION_SLOTS,
                                  .slot = {{1, 8, 0}, {2, 1, 0.5}, {3, 0, 0.25}}};
    double trickle = 0;

    (void)state;
    for (uint32_t i = 1; i <= DAY_S; i++) {
        reputation_decay(&is, NOW_S + i, 30.0 * DAY_S);
        is.slot[3].reporter = 4;
        is.slot[3].ham += 0.0001;
        trickle = trickle * 0.999999732582142 + 0.0001;
        reputation_round(REPUTATION_NET, &is);
    }
    assert_within(is.spam, 20 * 0.9771599684342459, 1e-4); // 2^(-1/30)
    assert_within(is.slot[0].spam, 8 * 0.9771599684342459, 0.04);
    assert_within(is.slot[1].spam, 0.9771599684342459, 0.03);
    assert_within(is.slot[1].ham, 0.5 * 0.9771599684342459, 0.03);
    assert_within(is.slot[2].ham, 0.25 * 0.9771599684342459, 0.03);
    assert_within(is.slot[3].ham, trickle, 0.1);
}

static void volumes_every_second_lose_nothing(void **state)
{
    struct reputation_state is = {0};
    double hour = 0, week = 0;

    (void)state;
    for (uint32_t i = 1; i <= 2 * DAY_S; i++) {
        reputation_add_volume(&MONTH, 10, NOW_S + i, &is);
        reputation_round(REPUTATION_IP, &is);
        hour = hour * 0.9998074776513175 + 10;
        week = week * 0.9999988539239694 + 10;
    }
    assert_within(is.hour, hour, hour / 15); // within its 16 bits it does not see half a mail
    assert_within(is.week, week, week / 1000);
}

// ---- bytes

static void hex_of(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void an_entity_has_these_bytes(void **state)
{
    const struct reputation_state is = {
        .spam = 3,
        .ham = 0.5,
        .at_s = 0x65000001,
        .first_day = 0x4c90,
        .hour = 1,
        .week = 2.5,
        .slot_count = REPUTATION_SLOTS,
        .slot = {{1, 3, 0.5}, {0, 0, 0}, {0xfffe, 31.9921875, 0.0078125}, {0x102, 0, 0}},
    };
    uint8_t bytes[REPUTATION_ROOT_BYTES];
    char text[2 * sizeof(bytes) + 1] = "";
    struct reputation_state again;

    (void)state;
    assert_int_equal(reputation_pack(REPUTATION_TLD, &is, bytes), 44);
    hex_of(bytes, 44, text);
    assert_string_equal(text, "01"
                              "4008000000"
                              "3fe0000000"
                              "65000001"
                              "4c90"
                              "3f8000"
                              "40200000"
                              "0001180040"
                              "0000000000"
                              "fffefff001"
                              "0102000000");
    assert_int_equal(reputation_unpack(REPUTATION_TLD, bytes, 44, &again), ERR_NONE);
    assert_memory_equal(&again, &is, sizeof(is));
}

static void a_root_has_these_bytes(void **state)
{
    struct reputation_state is = {
        .spam = 1.0 / 3,
        .ham = 1000,
        .at_s = 1,
        .first_day = 2,
        .hour = 0,
        .week = 1.0 / 3,
        .slot_count = REPUTATION_ROOT_SLOTS,
        .slot = {{1, 0.1, 0}},
    };
    uint8_t bytes[REPUTATION_ROOT_BYTES];
    char text[2 * sizeof(bytes) + 1] = "";
    struct reputation_state again;

    (void)state;
    is.slot[15] = (struct reputation_slot){2, 0, 0.1};
    assert_int_equal(reputation_pack(REPUTATION_WORLD, &is, bytes), 318);
    hex_of(bytes, 318, text);
    assert_memory_equal(text,
                        "02"
                        "3fd5555555555555"
                        "408f400000000000"
                        "00000001"
                        "0002"
                        "000000"
                        "3eaaaaab"
                        "0001"
                        "3fb999999999999a"
                        "0000000000000000"
                        "0000",
                        2 * (1 + 8 + 8 + 4 + 2 + 3 + 4 + 18 + 2));
    assert_string_equal(text + 2 * (318 - 18), "00020000000000000000"
                                               "3fb999999999999a");
    assert_int_equal(reputation_unpack(REPUTATION_WORLD, bytes, 318, &again), ERR_NONE);
    is.week = (double)(float)is.week;
    assert_memory_equal(&again, &is, sizeof(is));
}

// ---- what is none of ours

#define ENTITY REPUTATION_IP
#define ROOT   REPUTATION_WORLD
static const struct bad_row {
    const char *name;
    enum reputation_kind kind;
    size_t len;
    size_t at; // these bytes are written there
    const char *hex;
    bool is_good;
} BAD[] = {
    {"an entity", ENTITY, 44, 0, "01", true},
    {"a root", ROOT, 318, 0, "02", true},
    {"no bytes", ENTITY, 0, 0, "", false},
    {"one byte", ENTITY, 1, 0, "", false},
    {"a byte too few", ENTITY, 43, 0, "", false},
    {"a byte too many", ENTITY, 45, 0, "", false},
    {"an entity as long as a root", ENTITY, 318, 0, "", false},
    {"a root of no bytes", ROOT, 0, 0, "", false},
    {"a root with a byte too few", ROOT, 317, 0, "", false},
    {"a root with a byte too many", ROOT, 319, 0, "", false},
    {"a root as long as an entity", ROOT, 44, 0, "", false},
    {"version 0", ENTITY, 44, 0, "00", false},
    {"a root's version", ENTITY, 44, 0, "02", false},
    {"version 255", ENTITY, 44, 0, "ff", false},
    {"an entity's version", ROOT, 318, 0, "01", false},
    {"version 3", ROOT, 318, 0, "03", false},
    {"spam is no number", ENTITY, 44, 1, "7ff8000000", false},
    {"spam without end", ENTITY, 44, 1, "7ff0000000", false},
    {"spam below 0", ENTITY, 44, 1, "bff0000000", false},
    {"spam of -0", ENTITY, 44, 1, "8000000000", false},
    {"spam less than dust", ENTITY, 44, 1, "3eaffffff0", false},
    {"spam of dust", ENTITY, 44, 1, "3eb0000000", true},
    {"the least spam of all", ENTITY, 44, 1, "0000000001", false},
    {"spam beyond 1e15", ENTITY, 44, 1, "430c6bf530", false},
    {"spam below 1e15", ENTITY, 44, 1, "430c6bf520", true},
    {"ham is no number", ENTITY, 44, 6, "fff8000000", false},
    {"ham without end", ENTITY, 44, 6, "7ff0000000", false},
    {"ham below 0", ENTITY, 44, 6, "bff0000000", false},
    {"hour is no number", ENTITY, 44, 17, "7fc000", false},
    {"hour without end", ENTITY, 44, 17, "7f8000", false},
    {"hour below 0", ENTITY, 44, 17, "bf8000", false},
    {"hour of -0", ENTITY, 44, 17, "800000", false},
    {"hour of 1", ENTITY, 44, 17, "3f8000", true},
    {"week is no number", ENTITY, 44, 20, "7fc00000", false},
    {"week without end", ENTITY, 44, 20, "7f800000", false},
    {"week below 0", ENTITY, 44, 20, "bf800000", false},
    {"week less than dust", ENTITY, 44, 20, "00000001", false},
    {"a free slot that holds ham", ENTITY, 44, 24, "0000000001", false},
    {"a free slot that holds spam", ENTITY, 44, 24, "0000001000", false},
    {"the last slot is free and holds ham", ENTITY, 44, 39, "0000000001", false},
    {"a slot that holds all it can", ENTITY, 44, 39, "ffffffffff", true},
    {"a root's spam is no number", ROOT, 318, 1, "7ff8000000000001", false},
    {"a root's ham without end", ROOT, 318, 9, "7ff0000000000000", false},
    {"a root's spam of 1e15", ROOT, 318, 1, "430c6bf526340000", true},
    {"a root's spam beyond 1e15", ROOT, 318, 1, "430c6bf526340001", false},
    {"a root's slot is no number", ROOT, 318, 30, "00017ff8000000000001", false},
    {"a root's slot below 0", ROOT, 318, 30, "00010000000000000000bff0000000000000", false},
    {"a root's free slot that holds spam", ROOT, 318, 30, "00003ff0000000000000", false},
    {"a root's last slot without end", ROOT, 318, 310, "7ff0000000000000", false},
};

static void check_bad(void **state)
{
    const struct bad_row *row = *state;
    // Just as long as it is said to be, so that a sanitizer sees a byte too many that is read.
    uint8_t *bytes = calloc(1, row->len + 1);
    struct reputation_state out, before;
    enum err err;

    assert_non_null(bytes);
    if (row->len > 0)
        bytes[0] = reputation_is_root(row->kind) ? 2 : 1;
    for (size_t i = 0; row->hex[2 * i] != '\0'; i++) {
        const char digits[3] = {row->hex[2 * i], row->hex[2 * i + 1], '\0'};

        assert_true(row->at + i < row->len);
        bytes[row->at + i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    memset(&before, 0xa5, sizeof(before));
    memcpy(&out, &before, sizeof(out));
    err = reputation_unpack(row->kind, bytes, row->len, &out);
    assert_int_equal(err, row->is_good ? ERR_NONE : ERR_SYNTAX);
    if (!row->is_good)
        assert_memory_equal(&out, &before, sizeof(out));
    free(bytes);
}

// ---- life

static const struct life_row {
    const char *name;
    double spam, ham;
    double half_lives;
} LIVES[] = {
    {"nothing", 0, 0, 3},         {"half a message", 0.25, 0.25, 3},
    {"one", 0.5, 0.5, 3},         {"two", 2, 0, 4},
    {"eight", 0, 8, 6},           {"full", 16, 16, 8},
    {"a root's", 1024, 1024, 14},
};

static void check_life(void **state)
{
    const struct life_row *row = *state;
    const struct reputation_state is = {.spam = row->spam, .ham = row->ham};

    assert_int_equal(reputation_life_ms(&MONTH, &is),
                     (uint64_t)(row->half_lives * (double)MONTH.half_life_ms));
}

// ---- volume

static void volumes_add_up(void **state)
{
    struct reputation_state is = {0};

    (void)state;
    reputation_add_volume(&MONTH, 8, NOW_S, &is);
    assert_near(is.hour, 8);
    assert_near(is.week, 8);
    assert_int_equal(is.first_day, 20000);
    reputation_add_volume(&MONTH, 1, NOW_S + 3600, &is);
    assert_near(is.hour, 5);
    assert_near(is.week, 8 * 0.9958826236582974 + 1);
    reputation_add_volume(&MONTH, 1, NOW_S, &is); // late
    assert_near(is.hour, 6);
    assert_int_equal(is.at_s, NOW_S + 3600);
    is.spam = 4;
    reputation_add_volume(&MONTH, 1, NOW_S + 3600 + 30 * DAY_S, &is);
    assert_near(is.spam, 2);
}

static const struct surge_row {
    const char *name;
    double hour, week;
    int passed_s; // since they were written
    int age_days;
    double p, least, ratio;
    bool surges;
} SURGES[] = {
    // 20 in the hour is a rate of 20 ln 2 = 13.86 an hour; 207.93 in the week are 0.8579.
    {"young and sudden", 20, 20, 0, 0, 0, 20, 8, true},
    {"less than the least", 19.999, 19.999, 0, 0, 0, 20, 8, false},
    {"just eight times", 20, 207.9, 0, 0, 0, 20, 8, true},
    {"just not eight times", 20, 208, 0, 0, 0, 20, 8, false},
    {"four times, as is asked", 20, 658, 0, 0, 0, 20, 4, true},
    {"not four times", 20, 659, 0, 0, 0, 20, 4, false},
    {"more is asked", 20, 20, 0, 0, 0, 20.001, 8, false},
    {"less is asked", 10, 10, 0, 0, 0, 10, 7, true},
    {"six days old", 100, 100, 0, 6, 0, 20, 8, true},
    {"seven days old and good", 100, 100, 0, 7, 0, 20, 8, false},
    {"seven days old, at the bound", 100, 100, 0, 7, 0.1, 20, 8, false},
    {"seven days old, above it", 100, 100, 0, 7, 0.1001, 20, 8, true},
    {"old and bad, but steady", 100, 4000, 0, 400, 0.99, 20, 8, false},
    {"from tomorrow", 100, 100, 0, -1, 0, 20, 8, true},
    {"an hour ago, enough", 40, 40, 3600, 0, 0, 20, 8, true},
    {"an hour ago, too little", 39.99, 39.99, 3600, 0, 0, 20, 8, false},
    {"a week ago", 1e6, 1e6, 7 * DAY_S, 0, 1, 20, 8, false},
    {"a week that decays as well", 80, 950, 3600, 0, 0, 20, 8, false},
    {"it was written an hour later", 19.9, 19.9, -3600, 0, 0, 20, 8, false},
    {"just as much as is asked", 0, 0, 0, 0, 0, 0, 1, true},
    {"nothing", 0, 0, 0, 0, 1, 20, 8, false},
};

static void check_surge(void **state)
{
    const struct surge_row *row = *state;
    const struct reputation_state is = {
        .hour = row->hour,
        .week = row->week,
        .at_s = NOW_S + DAY_S / 2,
        .first_day = (uint16_t)(20000 - row->age_days),
    };
    const uint64_t now_ms = (uint64_t)(NOW_S + DAY_S / 2 + row->passed_s) * 1000 + 999;

    assert_int_equal(reputation_surges(&is, row->p, now_ms, row->least, row->ratio), row->surges);
}

int main(void)
{
    struct table table = {.count = 0};

    TABLE_ROWS(&table, DECAYS, check_decay);
    TABLE_TEST(&table, a_root_decays_in_all_its_slots);
    TABLE_TEST(&table, the_first_writing_has_its_day);
    TABLE_ROWS(&table, REALS, check_real);
    TABLE_ROWS(&table, SLOTS, check_slot);
    TABLE_TEST(&table, a_free_slot_holds_nothing);
    TABLE_TEST(&table, rounding_every_second_loses_nothing);
    TABLE_TEST(&table, volumes_every_second_lose_nothing);
    TABLE_TEST(&table, an_entity_has_these_bytes);
    TABLE_TEST(&table, a_root_has_these_bytes);
    TABLE_ROWS(&table, BAD, check_bad);
    TABLE_ROWS(&table, LIVES, check_life);
    TABLE_TEST(&table, volumes_add_up);
    TABLE_ROWS(&table, SURGES, check_surge);
    return table_run(&table, "reputation_state");
}
