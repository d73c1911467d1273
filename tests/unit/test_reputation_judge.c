// What all levels say together, when the site knows enough, whom it believes, and what others are sure of. Every value of the tables is worked
// out by hand.
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
static const uint64_t NOW_MS = 1000ULL * NOW_S;
static const struct reputation_settings SETTINGS = {
    .level = {
        [REPUTATION_IP] = {1, 30ULL * DAY_S * 1000},
        [REPUTATION_NET] = {1, 60ULL * DAY_S * 1000},
        [REPUTATION_WIDE] = {1, 90ULL * DAY_S * 1000},
        [REPUTATION_ASN] = {2, 120ULL * DAY_S * 1000},
        [REPUTATION_COUNTRY] = {4, 180ULL * DAY_S * 1000},
        [REPUTATION_WORLD] = {0, 180ULL * DAY_S * 1000},
        [REPUTATION_SENDER] = {1, 30ULL * DAY_S * 1000},
        [REPUTATION_DOMAIN] = {1, 60ULL * DAY_S * 1000},
        [REPUTATION_TLD] = {2, 120ULL * DAY_S * 1000},
        [REPUTATION_SENDERS] = {0, 180ULL * DAY_S * 1000},
    }};

// The trust of reporters: 10 and below wholly, then by tens.
enum { HALF = 20, ALMOST_HALF = 30, QUARTER = 40, NONE = 50 };
static float trust[REPUTATION_REPORTERS];
static const struct reputation_reporters REPORTERS = {trust, 5};

static void set_trust(void)
{
    for (unsigned i = 0; i < REPUTATION_REPORTERS; i++)
        trust[i] = 1;
    trust[HALF] = 0.5F;
    trust[ALMOST_HALF] = 0.4999F;
    trust[QUARTER] = 0.25F;
    trust[NONE] = 0;
}

// A level as a row has it.
struct given {
    enum reputation_kind kind;
    double spam, ham;
    struct reputation_slot slot[REPUTATION_SLOTS];
    int age_s;
    enum fact_state state; // UNKNOWN, and it was read: PRESENT
    bool is_unread;
};

// The rows end with one that is nothing: kind 0 a second time, or SENDERS was there.
enum { GIVEN_MAX = 10 };
static void take_levels(const struct given *given, size_t count, struct reputation_facts *out)
{
    *out = (struct reputation_facts){.count = (unsigned)count};
    for (size_t i = 0; i < count; i++) {
        struct reputation_level *level = &out->level[i];

        level->id.kind = given[i].kind;
        level->state = given[i].is_unread               ? FACT_UNKNOWN
                       : given[i].state == FACT_UNKNOWN ? FACT_PRESENT
                                                        : given[i].state;
        level->is.spam = given[i].spam;
        level->is.ham = given[i].ham;
        level->is.at_s = (uint32_t)(NOW_S - given[i].age_s);
        level->is.slot_count =
            reputation_is_root(given[i].kind) ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS;
        memcpy(level->is.slot, given[i].slot, sizeof(given[i].slot));
        out->address_count += given[i].kind <= REPUTATION_WORLD;
    }
}

// ---- judge

#define IP      REPUTATION_IP
#define NET     REPUTATION_NET
#define WIDE    REPUTATION_WIDE
#define ASN     REPUTATION_ASN
#define COUNTRY REPUTATION_COUNTRY
#define WORLD   REPUTATION_WORLD
#define SENDER  REPUTATION_SENDER
#define DOMAIN  REPUTATION_DOMAIN
#define TLD     REPUTATION_TLD
#define SENDERS REPUTATION_SENDERS
#define UNASKED REPUTATION_UNASKED
#define PASSED  REPUTATION_PASSED

// clang-format off
static const struct judge_row {
    const char *name;
    size_t count;
    struct given level[GIVEN_MAX];
    enum reputation_auth auth;
    bool is_known, has_sender;
    double p, address, sender, ip, believed, lower, upper, n_ip, n_net;
} JUDGES[] = {
    {"nobody is known", 0, {{0}}, UNASKED, false, false, 0.5, 0.5, 0.5, 0.5, 0, 0, 1, 0, 0},
    {"nothing was ever said", 2, {{IP, 0, 0, {{0}}, 0, FACT_ABSENT, false}, {WORLD, 0, 0, {{0}}, 0, FACT_ABSENT, false}},
     UNASKED, true, false, 0.5, 0.5, 0.5, 0.5, 0, 0, 1, 0, 0},
    {"the root alone", 2, {{IP, 0, 0, {{0}}, 0, FACT_ABSENT, false}, {WORLD, 2, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 0.75, 0.75, 0.5, 0.75, 0, 0.24632367164, 1, 0, 0},
    {"ham at the root", 2, {{IP, 0, 0, {{0}}, 0, FACT_ABSENT, false}, {WORLD, 0, 8, {{0}}, 0, 0, false}},
     UNASKED, true, false, 0.1, 0.1, 0.5, 0.1, 0, 0, 0.448957196516, 0, 0},
    {"each level over its parent", 6,
     {{IP, 3, 0, {{0}}, 0, 0, false}, {NET, 0, 1, {{0}}, 0, 0, false}, {WIDE, 1, 0, {{0}}, 0, 0, false}, {ASN, 0, 2, {{0}}, 0, 0, false},
      {COUNTRY, 4, 0, {{0}}, 0, 0, false}, {WORLD, 1, 1, {{0}}, 0, 0, false}},
     // 1/2; (4+4/2)/8 = 3/4; (0+2*3/4)/4 = 3/8; (1+3/8)/2 = 11/16; 11/32; (3+11/32)/4
     UNASKED, true, false, 0.8359375, 0.8359375, 0.5, 0.875, 0, 0.563496499385, 1, 3, 1},
    {"half of it is left after a half-life", 2,
     {{IP, 6, 2, {{0}}, 30 * DAY_S, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 0.7, 0.7, 0.5, 0.7, 0, 0.392248679938, 1, 4, 0},
    {"what was written a moment later is whole", 2,
     {{IP, 6, 2, {{0}}, -30 * DAY_S, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 6.5 / 9, 6.5 / 9, 0.5, 6.5 / 9, 0, 0.489225358337, 0.955219086107, 8, 0},
    {"a level that was not read", 3,
     {{IP, 0, 0, {{0}}, 0, FACT_ABSENT, false}, {NET, 3, 0, {{0}}, 0, 0, true}, {WORLD, 2, 0, {{0}}, 0, 0, false}},
     UNASKED, false, false, 0.75, 0.75, 0.5, 0.75, 0, 0.24632367164, 1, 0, 0},
    {"an absent level says nothing, whatever is in it", 2,
     {{IP, 9, 9, {{0}}, 0, FACT_ABSENT, false}, {WORLD, 2, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 0.75, 0.75, 0.5, 0.75, 0, 0.24632367164, 1, 0, 0},

    // logit 3/4 = ln 3, logit 1/4 = -ln 3
    {"a sender that is half believed", 4,
     {{IP, 1, 0, {{0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}, {DOMAIN, 0, 1, {{0}}, 0, 0, false}, {SENDERS, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, true, true, 0.590541436814, 0.75, 0.25, 0.75, 0.5, 0.123521476948, 1, 1, 0},
    {"one that is believed", 4,
     {{IP, 1, 0, {{0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}, {DOMAIN, 0, 1, {{0}}, 0, 0, false}, {SENDERS, 0, 0, {{0}}, 0, 0, false}},
     PASSED, true, true, 0.5, 0.75, 0.25, 0.75, 1, 0.0251294035915, 0.974870596408, 1, 0},
    {"one that was looked at without avail", 4,
     {{IP, 1, 0, {{0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}, {TLD, 0, 2, {{0}}, 0, 0, false}, {SENDERS, 0, 0, {{0}}, 0, 0, false}},
     REPUTATION_UNCONFIRMED, true, true, 0.590541436814, 0.75, 0.25, 0.75, 0.5, 0.123521476948, 1, 1, 0},
    {"one that is not", 4,
     {{IP, 1, 0, {{0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}, {DOMAIN, 0, 1, {{0}}, 0, 0, false}, {SENDERS, 0, 0, {{0}}, 0, 0, false}},
     REPUTATION_FAILED, true, false, 0.75, 0.75, 0.25, 0.75, 0, 0.33875, 1, 1, 0},
    {"one that was not read", 4,
     {{IP, 1, 0, {{0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}, {DOMAIN, 0, 1, {{0}}, 0, 0, true}, {SENDERS, 0, 0, {{0}}, 0, 0, false}},
     PASSED, true, false, 0.75, 0.75, 0.5, 0.75, 0, 0.33875, 1, 1, 0},
    {"a sender alone", 2, {{DOMAIN, 0, 1, {{0}}, 0, 0, false}, {SENDERS, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, false, true, 0.25, 0.5, 0.25, 0.5, 0.5, 0, 0.66125, 0, 0},
    {"the four levels of a sender", 6,
     {{IP, 0, 0, {{0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}, {SENDER, 3, 0, {{0}}, 0, 0, false}, {DOMAIN, 1, 0, {{0}}, 0, 0, false},
      {TLD, 2, 0, {{0}}, 0, 0, false}, {SENDERS, 0, 2, {{0}}, 0, 0, false}},
     // 1/4; (2+2/4)/4 = 5/8; (1+5/8)/2 = 13/16; (3+13/16)/4 = 61/64; odds of both: sqrt(61/3)
     PASSED, true, true, 0.818487081751, 0.5, 0.953125, 0.5, 1, 0.370143880247, 1, 0, 0},
    {"both beyond what is counted", 2, {{WORLD, 1e12, 0, {{0}}, 0, 0, false}, {SENDERS, 0, 1e12, {{0}}, 0, 0, false}},
     PASSED, true, true, 0.5, 1, 0, 1, 1, 0.499999177500, 0.500000822500, 0, 0},

    {"one beyond what is counted", 4, // odds 999999 : 1 of the address, 1 : 1 of the sender
     {{IP, 1e12, 0, {{0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}, {DOMAIN, 0, 0, {{0}}, 0, 0, false}, {SENDERS, 0, 0, {{0}}, 0, 0, false}},
     PASSED, true, true, 0.999000998502, 1, 0.5, 1, 1, 0.999000946534, 0.999001050470, 1e12, 0},
    {"each level has its half-life", 2,
     {{IP, 0, 0, {{0}}, 0, FACT_ABSENT, false}, {WORLD, 4, 0, {{0}}, 180 * DAY_S, 0, false}},
     UNASKED, true, false, 0.75, 0.75, 0.5, 0.75, 0, 0.246323671640, 1, 0, 0},

    {"a reporter that is not trusted", 2,
     {{IP, 5, 3, {{1, 1, 1}, {NONE, 2, 1}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 3.5 / 6, 3.5 / 6, 0.5, 3.5 / 6, 0, 0.276805681418, 0.889860985249, 5, 0},
    {"one that is half trusted", 2,
     {{IP, 5, 3, {{0}, {HALF, 2, 2}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 4.5 / 7, 4.5 / 7, 0.5, 4.5 / 7, 0, 0.364181424055, 0.921532861659, 6, 0},
    {"one that holds more than there is", 2,
     {{IP, 2, 1, {{0}, {0}, {0}, {NONE, 3, 0}}, 0, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 0.25, 0.25, 0.5, 0.25, 0, 0, 0.66125, 1, 0},
    {"one of the root", 2,
     {{IP, 0, 0, {{0}}, 0, 0, false}, {WORLD, 8, 0, {{NONE, 8, 0}}, 0, 0, false}},
     UNASKED, true, false, 0.5, 0.5, 0.5, 0.5, 0, 0, 1, 0, 0},
    {"distrust of what is half gone", 2,
     {{IP, 8, 0, {{NONE, 4, 0}}, 30 * DAY_S, 0, false}, {WORLD, 0, 0, {{0}}, 0, 0, false}},
     UNASKED, true, false, 2.5 / 3, 2.5 / 3, 0.5, 2.5 / 3, 0, 0.526805681418, 1, 2, 0},
};
// clang-format on

static void check_judge(void **state)
{
    const struct judge_row *row = *state;
    struct reputation_facts facts;
    struct reputation_result is;

    take_levels(row->level, row->count, &facts);
    reputation_judge(&facts, &SETTINGS, &REPORTERS, row->auth, NOW_MS + 999, &is);
    assert_int_equal(is.is_known, row->is_known);
    assert_int_equal(is.has_sender, row->has_sender);
    assert_near(is.p, row->p);
    assert_near(is.address, row->address);
    assert_near(is.sender, row->sender);
    assert_near(is.ip, row->ip);
    assert_near(is.trust_sender, row->believed);
    assert_near(is.lower, row->lower);
    assert_near(is.upper, row->upper);
    assert_near(is.n_ip, row->n_ip);
    assert_near(is.n_net, row->n_net);
    if (row->count > 0)
        assert_near(is.share[0].p, row->level[0].kind <= WORLD ? row->address : row->sender);
}

static void all_are_trusted_unless_somebody_says_otherwise(void **state)
{
    const struct reputation_reporters nobody_said = {NULL, 5};
    const struct given level[] = {{IP, 1, 0, {{NONE, 1, 0}}, 0, 0, false},
                                  {WORLD, 0, 0, {{0}}, 0, 0, false}};
    struct reputation_facts facts;
    struct reputation_result is;

    (void)state;
    take_levels(level, 2, &facts);
    reputation_judge(&facts, &SETTINGS, &nobody_said, UNASKED, NOW_MS, &is);
    assert_near(is.p, 0.75);
    assert_int_equal(is.reporters, 1);
}

// ---- how many reporters

// clang-format off
static const struct reporters_row {
    const char *name;
    struct given level[4];
    unsigned reporters;
} REPORTED[] = {
    {"none", {{IP, 9, 9, {{0}}, 0, 0, false}, {NET, 9, 9, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, 0},
    {"four and four", {{IP, 9, 9, {{1, 1, 0}, {2, 0, 1}, {3, 1, 0}, {4, 1, 1}}, 0, 0, false},
                       {NET, 9, 9, {{5, 1, 0}, {6, 0, 1}, {7, 1, 0}, {8, 1, 1}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, 8},
    {"one in both counts once", {{IP, 9, 9, {{1, 1, 0}, {2, 1, 0}}, 0, 0, false}, {NET, 9, 9, {{2, 1, 0}, {1, 1, 0}}, 0, 0, false},
                                 {WIDE, 0, 0, {{0}}, 0, 0, false}}, 2},
    {"a quarter is enough", {{IP, 9, 9, {{1, 0.125, 0.125}}, 0, 0, false}, {NET, 9, 9, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, 1},
    {"less is not, in neither of two", {{IP, 9, 9, {{1, 0.2421875, 0}}, 0, 0, false}, {NET, 9, 9, {{1, 0.2421875, 0}}, 0, 0, false},
                                        {WIDE, 0, 0, {{0}}, 0, 0, false}}, 0},
    {"a half that is half gone", {{IP, 9, 9, {{1, 0.5, 0}, {2, 0.4921875, 0}}, 30 * DAY_S, 0, false}, {NET, 9, 9, {{0}}, 0, 0, false},
                                  {WIDE, 0, 0, {{0}}, 0, 0, false}}, 1},
    {"one that is half trusted", {{IP, 9, 9, {{HALF, 3, 0}}, 0, 0, false}, {NET, 9, 9, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, 1},
    {"one that is less", {{IP, 9, 9, {{ALMOST_HALF, 3, 0}}, 0, 0, false}, {NET, 9, 9, {{NONE, 3, 0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, 0},
    {"higher up nobody counts", {{IP, 9, 9, {{0}}, 0, 0, false}, {NET, 9, 9, {{0}}, 0, 0, false}, {WIDE, 9, 9, {{1, 3, 0}}, 0, 0, false}}, 0},
    {"absent", {{IP, 9, 9, {{1, 3, 0}}, 0, FACT_ABSENT, false}, {NET, 9, 9, {{2, 3, 0}}, 0, 0, true}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, 0},
};
// clang-format on

static void check_reporters(void **state)
{
    const struct reporters_row *row = *state;
    struct given level[4];
    struct reputation_facts facts;
    struct reputation_result is;

    memcpy(level, row->level, sizeof(level));
    level[3] = (struct given){.kind = WORLD, .slot = {{9, 5, 5}}};
    take_levels(level, 4, &facts);
    reputation_judge(&facts, &SETTINGS, &REPORTERS, UNASKED, NOW_MS, &is);
    assert_int_equal(is.reporters, row->reporters);
}

// ---- warm

// clang-format off
static const struct warm_row {
    const char *name;
    struct given root;
    bool is_warm;
} WARMS[] = {
    {"fifty of each", {WORLD, 50, 50, {{0}}, 0, 0, false}, true},
    {"spam is missing", {WORLD, 49.999, 60, {{0}}, 0, 0, false}, false},
    {"ham is missing", {WORLD, 60, 49.999, {{0}}, 0, 0, false}, false},
    {"a tenth is spam", {WORLD, 50, 450, {{0}}, 0, 0, false}, true},
    {"less than a tenth is spam", {WORLD, 50, 450.1, {{0}}, 0, 0, false}, false},
    {"a tenth is ham", {WORLD, 900, 100, {{0}}, 0, 0, false}, true},
    {"less than a tenth is ham", {WORLD, 900, 99.9, {{0}}, 0, 0, false}, false},
    {"half of it is left", {WORLD, 100, 100, {{0}}, 180 * DAY_S, 0, false}, true},
    {"too little is left", {WORLD, 99.9, 100, {{0}}, 180 * DAY_S, 0, false}, false},
    {"nothing is kept", {WORLD, 500, 500, {{0}}, 0, FACT_ABSENT, false}, false},
    {"nothing was read", {WORLD, 500, 500, {{0}}, 0, 0, true}, false},
    {"of somebody that is not trusted", {WORLD, 60, 60, {{1, 50, 50}, {NONE, 10.5, 0}}, 0, 0, false}, false},
    {"of senders", {SENDERS, 500, 500, {{0}}, 0, 0, false}, false},
};
// clang-format on

static void check_warm(void **state)
{
    const struct warm_row *row = *state;
    struct reputation_facts facts;

    take_levels(&row->root, 1, &facts);
    assert_int_equal(reputation_is_warm(&facts, &SETTINGS, &REPORTERS, NOW_MS), row->is_warm);
}

static void the_root_is_the_last_of_the_address(void **state)
{
    const struct given level[] = {{IP, 0, 0, {{0}}, 0, 0, false},
                                  {WORLD, 500, 500, {{0}}, 0, 0, false},
                                  {TLD, 0, 0, {{0}}, 0, 0, false},
                                  {SENDERS, 0, 0, {{0}}, 0, 0, false}};
    struct reputation_facts facts;

    (void)state;
    take_levels(level, 4, &facts);
    assert_true(reputation_is_warm(&facts, &SETTINGS, &REPORTERS, NOW_MS));
}

// ---- trust

static const struct trust_row {
    const char *name;
    struct reputation_record record;
    double trust;
} TRUSTS[] = {
    {"nothing", {{0, 0}, {0, 0}}, 1},
    {"it always agreed", {{200, 300}, {0, 0}}, 1},
    {"once not", {{0, 0}, {1, 0}}, (9.0 / 11 - 0.6) / 0.3},
    {"twice not", {{0, 0}, {0, 2}}, 0.5},
    {"five times not", {{0, 0}, {0, 5}}, 0},
    {"never", {{0, 0}, {500, 500}}, 0},
    {"the worse of both classes, spam", {{400, 0}, {0, 2}}, 0.5},
    {"the worse of both classes, ham", {{0, 400}, {2, 0}}, 0.5},
    {"one in four", {{0, 66}, {0, 24}}, 0.5},
    {"one in ten", {{0, 81}, {0, 10}}, (90.0 / 101 - 0.6) / 0.3},
    {"just trusted", {{0, 90}, {0, 10}}, 1},
};

static void check_trust(void **state)
{
    const struct trust_row *row = *state;

    assert_near(reputation_trust(&row->record), row->trust);
}

static void a_record_forgets(void **state)
{
    struct reputation_record record = {{0, 0}, {0, 0}};

    (void)state;
    reputation_record_note(&record, true, true);
    reputation_record_note(&record, true, false);
    reputation_record_note(&record, false, false);
    reputation_record_note(&record, true, true);
    assert_near(record.agreed[1], 1 * 0.998 * 0.998 + 1);
    assert_near(record.disagreed[1], 0.998);
    assert_near(record.agreed[0], 0);
    assert_near(record.disagreed[0], 1);
    reputation_record_note(&record, false, true);
    assert_near(record.agreed[0], 1);
    assert_near(record.disagreed[0], 0.998);
}

static void spf_says_how_far(void **state)
{
    (void)state;
    assert_int_equal(reputation_auth_of(MSG_AUTH_UNSPECIFIED), REPUTATION_UNASKED);
    assert_int_equal(reputation_auth_of(MSG_AUTH_PASS), REPUTATION_PASSED);
    assert_int_equal(reputation_auth_of(MSG_AUTH_FAIL), REPUTATION_FAILED);
    assert_int_equal(reputation_auth_of(MSG_AUTH_NONE), REPUTATION_UNCONFIRMED);
    assert_int_equal(reputation_auth_of(MSG_AUTH_SOFTFAIL), REPUTATION_UNCONFIRMED);
    assert_int_equal(reputation_auth_of(MSG_AUTH_NEUTRAL), REPUTATION_UNCONFIRMED);
    assert_int_equal(reputation_auth_of(MSG_AUTH_TEMPERROR), REPUTATION_UNCONFIRMED);
    assert_int_equal(reputation_auth_of(MSG_AUTH_PERMERROR), REPUTATION_UNCONFIRMED);
}

// ---- what others are sure of

enum said { NOT_SURE, SURE_HAM, SURE_SPAM };
enum { ME = 7 };
// clang-format off
static const struct others_row {
    const char *name;
    struct given level[4]; // the first three of a chain; its root knows all
    bool of_sender;
    enum said said;
} OTHERS[] = {
    {"nobody", {{IP, 9, 0, {{0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, NOT_SURE},
    {"two", {{IP, 0, 0, {{1, 2, 0}, {2, 0.5, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, SURE_SPAM},
    {"two of ham", {{IP, 0, 0, {{1, 0, 2}, {2, 0, 0.5}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, SURE_HAM},
    {"too little in all", {{IP, 0, 0, {{1, 2, 0}, {2, 0.4921875, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, NOT_SURE},
    {"one alone", {{IP, 0, 0, {{1, 9, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, NOT_SURE},
    {"one, and myself", {{IP, 0, 0, {{1, 9, 0}, {ME, 9, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, NOT_SURE},
    {"what I say does not matter", {{IP, 0, 0, {{1, 2, 0}, {2, 2, 0}, {ME, 0, 30}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, SURE_SPAM},
    {"the second holds a quarter", {{IP, 0, 0, {{1, 9, 0}, {2, 0.25, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, SURE_SPAM},
    {"the second holds less", {{IP, 0, 0, {{1, 9, 0}, {2, 0.2421875, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, NOT_SURE},
    {"the second holds a half that is half gone", {{IP, 0, 0, {{1, 9, 0}, {2, 0.5, 0}}, 30 * DAY_S, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, SURE_SPAM},
    {"and less than that", {{IP, 0, 0, {{1, 9, 0}, {2, 0.4921875, 0}}, 30 * DAY_S, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, NOT_SURE},
    {"five of which half is gone", {{IP, 0, 0, {{1, 4, 0}, {2, 1, 0}}, 30 * DAY_S, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, SURE_SPAM},
    {"less than five of which half is gone", {{IP, 0, 0, {{1, 3.9, 0}, {2, 1, 0}}, 30 * DAY_S, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, NOT_SURE},
    {"the second is half trusted", {{IP, 0, 0, {{1, 9, 0}, {HALF, 1, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, SURE_SPAM},
    {"the second is less", {{IP, 0, 0, {{1, 9, 0}, {ALMOST_HALF, 1, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, NOT_SURE},
    {"who is not trusted does not count against", {{IP, 0, 0, {{1, 2, 0}, {2, 2, 0}, {NONE, 0, 9}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, SURE_SPAM},
    {"nine tenths are not enough", {{IP, 0, 0, {{1, 4.5, 0}, {2, 0, 0.5}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, NOT_SURE},
    {"more than nine tenths", {{IP, 0, 0, {{1, 4.6, 0}, {2, 0, 0.5}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, SURE_SPAM},
    {"a tenth is not little enough", {{IP, 0, 0, {{1, 0, 4.5}, {2, 0.5, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, NOT_SURE},
    {"less than a tenth", {{IP, 0, 0, {{1, 0, 4.6}, {2, 0.5, 0}}, 0, 0, false}, {NET, 0, 0, {{0}}, 0, 0, false}, {WIDE, 0, 0, {{0}}, 0, 0, false}},
     false, SURE_HAM},
    {"the network, where the address is not known", {{IP, 0, 0, {{1, 9, 0}}, 0, 0, false}, {NET, 0, 0, {{1, 0, 2}, {2, 0, 2}}, 0, 0, false},
     {WIDE, 0, 0, {{1, 2, 0}, {2, 2, 0}}, 0, 0, false}}, false, SURE_HAM},
    {"the deepest speaks, and is not sure", {{IP, 0, 0, {{1, 2, 0}, {2, 0, 2}}, 0, 0, false}, {NET, 0, 0, {{1, 0, 2}, {2, 0, 2}}, 0, 0, false},
     {WIDE, 0, 0, {{0}}, 0, 0, false}}, false, NOT_SURE},
    {"what is absent or was not read is passed over", {{IP, 0, 0, {{1, 2, 0}, {2, 2, 0}}, 0, FACT_ABSENT, false},
     {NET, 0, 0, {{1, 2, 0}, {2, 2, 0}}, 0, 0, true}, {WIDE, 0, 0, {{1, 0, 2}, {2, 0, 2}}, 0, 0, false}}, false, SURE_HAM},
    {"the sender's chain", {{SENDER, 0, 0, {{0}}, 0, 0, false}, {DOMAIN, 0, 0, {{1, 2, 0}, {2, 2, 0}}, 0, 0, false}, {TLD, 0, 0, {{0}}, 0, 0, false}},
     true, SURE_SPAM},
    {"the address says nothing of the sender", {{IP, 0, 0, {{1, 2, 0}, {2, 2, 0}}, 0, 0, false}, {TLD, 0, 0, {{0}}, 0, 0, false},
     {SENDERS, 0, 0, {{0}}, 0, 0, false}}, true, NOT_SURE},
    {"the sender says nothing of the address", {{IP, 0, 0, {{0}}, 0, 0, false}, {DOMAIN, 0, 0, {{1, 2, 0}, {2, 2, 0}}, 0, 0, false},
     {TLD, 0, 0, {{1, 2, 0}, {2, 2, 0}}, 0, 0, false}}, false, NOT_SURE},
};
// clang-format on

static void check_others(void **state)
{
    const struct others_row *row = *state;
    struct given level[4];
    struct reputation_facts facts;
    bool says_spam = false, sure;

    memcpy(level, row->level, sizeof(level));
    level[3] = (struct given){.kind = row->of_sender ? SENDERS : WORLD,
                              .slot = {{1, 900, 0}, {2, 900, 0}, {3, 900, 0}, {4, 900, 0}}};
    take_levels(level, 4, &facts);
    if (!row->of_sender && level[1].kind > WORLD) // the root stands behind the sender's levels here
        facts.address_count = 1;
    sure = reputation_others(&facts, row->of_sender, ME, &SETTINGS, &REPORTERS, NOW_MS, &says_spam);
    assert_int_equal(sure, row->said != NOT_SURE);
    if (sure)
        assert_int_equal(says_spam, row->said == SURE_SPAM);
}

int main(void)
{
    struct table table = {.count = 0};

    set_trust();
    TABLE_ROWS(&table, JUDGES, check_judge);
    TABLE_TEST(&table, all_are_trusted_unless_somebody_says_otherwise);
    TABLE_ROWS(&table, REPORTED, check_reporters);
    TABLE_ROWS(&table, WARMS, check_warm);
    TABLE_TEST(&table, the_root_is_the_last_of_the_address);
    TABLE_ROWS(&table, TRUSTS, check_trust);
    TABLE_TEST(&table, a_record_forgets);
    TABLE_TEST(&table, spf_says_how_far);
    TABLE_ROWS(&table, OTHERS, check_others);
    return table_run(&table, "reputation_judge");
}
