// test_greylist.c: the step greylist on facts that no scenario can bring about: a pipeline of which only a part was answered, and
// every pair of what two slices can hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/chain.h"
#include "tests/support/table.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS, MARK = 7 };
static const uint64_t NOW_MS = 1795000000000ULL; // 2026-11-18

// What one slice holds of the client's network.
struct seen {
    enum fact_state state;
    int64_t ago_ms;
};

static const struct seen UNKNOWN = {FACT_UNKNOWN, 0};

#define NONE           \
    {                  \
        FACT_ABSENT, 0 \
    }
#define LOST            \
    {                   \
        FACT_UNKNOWN, 0 \
    }
#define AGO(ms)            \
    {                      \
        FACT_PRESENT, (ms) \
    }

// How it was asked, and what is wanted beside the reason.
enum also {
    NOT_ASKED = 1, // the first trip alone was made
    REFUSED = 2,
    DRY_RUN = 4,
    FAIL_DEFER = 8,
    WAITS = 16,
    ALIGNS = 32,
    WRITES_PASSED = 64,
};

struct row {
    const char *name;
    struct seen passed[2];  // current, previous
    struct seen pending[2]; // the same
    enum reason want;
    unsigned also; // enum also
};

static const struct row ROWS[] = {
    // the first trip
    {"nothing passed: the second trip",
     {NONE, LOST},
     {LOST, LOST},
     REASON_accept,
     NOT_ASKED | WAITS},
    {"passed today: known, nothing to write",
     {AGO(HOUR_MS), LOST},
     {LOST, LOST},
     REASON_greylist_known,
     NOT_ASKED},
    {"passed before today: renewed",
     {AGO(DAY_MS), LOST},
     {LOST, LOST},
     REASON_greylist_known,
     NOT_ASKED | WRITES_PASSED},
    {"the first trip failed", {LOST, LOST}, {LOST, LOST}, REASON_degraded, NOT_ASKED},
    {"the first trip failed, fail: defer",
     {LOST, LOST},
     {LOST, LOST},
     REASON_store_down,
     NOT_ASKED | FAIL_DEFER},
    // the second
    {"a first try, read back", {NONE, NONE}, {AGO(0), NONE}, REASON_greylist_new, 0},
    {"passed in the slice before: known and moved",
     {NONE, AGO(30LL * DAY_MS)},
     {AGO(0), NONE},
     REASON_greylist_known,
     WRITES_PASSED},
    {"passed longer ago than it holds",
     {NONE, AGO(36LL * DAY_MS + 1)},
     {AGO(0), NONE},
     REASON_greylist_new,
     0},
    {"what passed in the slice before was not answered, the rest was",
     {NONE, LOST},
     {AGO(0), NONE},
     REASON_degraded,
     0},
    {"the same, and it would be a ripe retry",
     {NONE, LOST},
     {AGO(HOUR_MS), NONE},
     REASON_degraded,
     0},
    {"the same, fail: defer", {NONE, LOST}, {AGO(HOUR_MS), NONE}, REASON_store_down, FAIL_DEFER},
    {"first tries of the slice before were not answered: there may be an older one",
     {NONE, NONE},
     {AGO(0), LOST},
     REASON_degraded,
     0},
    {"the same, and an early retry", {NONE, NONE}, {AGO(59 * 1000), LOST}, REASON_degraded, 0},
    {"the same, and a ripe one: an older one would be ripe, too",
     {NONE, NONE},
     {AGO(MINUTE_MS), LOST},
     REASON_greylist_pass,
     WRITES_PASSED},
    {"the read-back was not answered", {NONE, NONE}, {LOST, NONE}, REASON_degraded, 0},
    {"the same, and a ripe one in the slice before",
     {NONE, NONE},
     {LOST, AGO(HOUR_MS)},
     REASON_greylist_pass,
     WRITES_PASSED},
    {"read back as nothing: the write was refused",
     {NONE, NONE},
     {NONE, NONE},
     REASON_degraded,
     REFUSED},
    {"read back as nothing, and nobody said that it was refused",
     {NONE, NONE},
     {NONE, NONE},
     REASON_degraded,
     0},
    {"refused, and an early one in the slice before",
     {NONE, NONE},
     {NONE, AGO(1000)},
     REASON_greylist_early,
     REFUSED},
    // a copy in the current slice whose window is over
    {"at exactly the window it passes",
     {NONE, NONE},
     {AGO(12LL * HOUR_MS), NONE},
     REASON_greylist_pass,
     WRITES_PASSED},
    {"a millisecond later it is replaced",
     {NONE, NONE},
     {AGO(12LL * HOUR_MS + 1), NONE},
     REASON_greylist_new,
     ALIGNS},
    {"the same, and its original is in the slice before",
     {NONE, NONE},
     {AGO(12LL * HOUR_MS + 1), AGO(12LL * HOUR_MS + 1)},
     REASON_greylist_new,
     ALIGNS},
    {"the same in a dry run",
     {NONE, NONE},
     {AGO(12LL * HOUR_MS + 1), NONE},
     REASON_greylist_new,
     DRY_RUN},
    {"not where the store refuses writes",
     {NONE, NONE},
     {AGO(12LL * HOUR_MS + 1), NONE},
     REASON_degraded,
     REFUSED},
    {"nor where a part was not answered",
     {NONE, NONE},
     {AGO(12LL * HOUR_MS + 1), LOST},
     REASON_degraded,
     0},
    {"one that is over in the slice before stands in nobody's way",
     {NONE, NONE},
     {AGO(0), AGO(13LL * HOUR_MS)},
     REASON_greylist_new,
     0},
    {"and alone there is no first try",
     {NONE, NONE},
     {NONE, AGO(13LL * HOUR_MS)},
     REASON_degraded,
     0},
    // a copy that is younger than what it stands for
    {"an early retry over the end of a slice",
     {NONE, NONE},
     {AGO(0), AGO(1000)},
     REASON_greylist_early,
     ALIGNS},
    {"the same in a dry run", {NONE, NONE}, {AGO(0), AGO(1000)}, REASON_greylist_early, DRY_RUN},
    // clocks
    {"a first try 60 s ahead is one",
     {NONE, NONE},
     {AGO(-MINUTE_MS), NONE},
     REASON_greylist_new,
     0},
    {"one further ahead is a wrong clock, whatever `fail` says",
     {NONE, NONE},
     {AGO(-MINUTE_MS - 1), NONE},
     REASON_degraded,
     FAIL_DEFER},
};

static struct fact_stamp stamp_of(const struct seen *seen)
{
    return (struct fact_stamp){seen->state, NOW_MS - (uint64_t)seen->ago_ms,
                               seen->ago_ms <= 0 ? MARK : MARK + 1};
}

// Of the identity `any` nothing is ever pending; it is answered with its slice.
static void put(struct fact_stamp slice[KEY_IDENTITY_MAX], const struct seen *seen)
{
    slice[0].state = seen->state == FACT_UNKNOWN ? FACT_UNKNOWN : FACT_ABSENT;
    slice[1] = stamp_of(seen);
}

static void facts_of(const struct row *row, struct facts *facts, struct facts_recipient *recipient)
{
    *facts = (struct facts){.stage = MSG_RCPT,
                            .client = {.family = 4},
                            .name = "",
                            .spf_domain = "",
                            .auth_user = "",
                            .external = "",
                            .now_ms = NOW_MS,
                            .clock_ok = true,
                            .keys_known = true,
                            .dry_run = (row->also & DRY_RUN) != 0};
    *recipient = (struct facts_recipient){
        .address = {.local = "bob", .base = "bob", .domain = "corp.example"}, .mark = MARK};
    recipient->triplet.identity_count = 2;
    recipient->triplet.identity[1].kind = KEY_NET;
    recipient->grey.pending_asked = (row->also & NOT_ASKED) == 0;
    recipient->grey.refused = (row->also & REFUSED) != 0;
    for (unsigned age = KEY_CURRENT; age <= KEY_PREVIOUS; age++) {
        put(recipient->grey.passed[age], &row->passed[age]);
        put(recipient->grey.pending[age],
            (row->also & NOT_ASKED) != 0 ? &UNKNOWN : &row->pending[age]);
    }
}

static void check_row(void **state)
{
    const struct row *row = *state;
    const struct policy policy = {
        .settings = {.greylist = {.mode = POLICY_ENFORCE,
                                  .delay_ms = MINUTE_MS,
                                  .window_ms = 12ULL * HOUR_MS,
                                  .life_ms = 36ULL * DAY_MS},
                     .fail = (row->also & FAIL_DEFER) != 0 ? POLICY_FAIL_DEFER : POLICY_FAIL_PASS}};
    struct facts facts;
    struct facts_recipient recipient;
    const struct chain_in in = {&facts, &recipient, &policy};
    struct verdict verdict = {
        .reason = REASON_accept, .direction = MSG_INBOUND, .shadow = REASON_COUNT};
    struct text_buf nowhere;

    facts_of(row, &facts, &recipient);
    text_buf_init(&nowhere, NULL, 0);
    bool waits = greylist_step(&in, &verdict, &nowhere) == OUTCOME_WAIT;

    assert_string_equal(reason_row(verdict.reason)->name, reason_row(row->want)->name);
    assert_int_equal(waits, (row->also & WAITS) != 0);
    assert_int_equal(verdict.changes.want_pending, (row->also & WAITS) != 0);
    assert_int_equal(verdict.changes.align_pending, (row->also & ALIGNS) != 0);
    assert_int_equal(verdict.changes.write_passed, (row->also & WRITES_PASSED) != 0);
    assert_int_equal(verdict.degraded,
                     row->want == REASON_degraded || row->want == REASON_store_down);
    if ((row->also & ALIGNS) != 0) // the earliest that still holds, this very try if there is none
        assert_int_equal(verdict.changes.earliest_ms,
                         row->want == REASON_greylist_early
                             ? NOW_MS - (uint64_t)row->pending[KEY_PREVIOUS].ago_ms
                             : NOW_MS);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, ROWS, check_row);
    return table_run(&table, "greylist");
}
