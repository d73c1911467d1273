// The store's clock as a node keeps it, and tickets, which must rise whatever the clock does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/inside.h"
#include "node/store/track.h"
#include "tests/support/table.h"

// ---- the clock

static const struct clock_row {
    const char *name;
    uint64_t sent_us, got_us, server_us; // the second measurement
    enum clock_news news;
    int64_t step_ms;
    uint64_t reads_ms; // at 20 s of the monotonic clock
} CLOCKS[] = {
    // The first: at 10 s the server says 1000 s. So 20 s of ours are 1010 s of its.
    {"the same", 20000000, 20000000, 1010000000, CLOCK_SAME, 0, 1010000},
    {"half the round trip", 19990000, 20010000, 1010000000, CLOCK_SAME, 0, 1010000},
    {"drifted by 2 s", 20000000, 20000000, 1012000000, CLOCK_SAME, 2000, 1012000},
    {"a step of 2.001 s", 20000000, 20000000, 1012001000, CLOCK_STEP, 2001, 1012001},
    {"a step of 60 s", 20000000, 20000000, 1070000000, CLOCK_STEP, 60000, 1070000},
    {"a jump of 60.001 s", 20000000, 20000000, 1070001000, CLOCK_JUMP, 60001, 1010000},
    {"a jump of a year", 20000000, 20000000, 32546000000000, CLOCK_JUMP, 32544990000, 1010000},
    {"a step back", 20000000, 20000000, 1007000000, CLOCK_STEP, -3000, 1007000},
    {"a jump back", 20000000, 20000000, 900000000, CLOCK_JUMP, -110000, 1010000},
    {"50 ms round trip", 19975000, 20025000, 1010000000, CLOCK_SAME, 0, 1010000},
    {"51 ms round trip tells nothing", 19949000, 20000000, 1500000000, CLOCK_IGNORED, 490025,
     1010000},
};

static struct store_clock begun_clock(void)
{
    struct store_clock clock = {.known = false};
    int64_t step_ms = -1;

    assert_int_equal(store_clock_measure(&clock, 10000000, 10000000, 1000000000, &step_ms),
                     CLOCK_SAME);
    assert_int_equal(step_ms, 0);
    return clock;
}

static void check_clock(void **state)
{
    const struct clock_row *row = *state;
    struct store_clock clock = begun_clock();
    int64_t step_ms = 0;

    assert_int_equal(
        store_clock_measure(&clock, row->sent_us, row->got_us, row->server_us, &step_ms),
        row->news);
    assert_int_equal(step_ms, row->step_ms);
    assert_int_equal(store_clock_read(&clock, 20000, 0), row->reads_ms);
}

static void the_first_measurement_counts_however_slow(void **state)
{
    struct store_clock clock = {.known = false};
    int64_t step_ms = 0;

    (void)state;
    assert_int_equal(store_clock_read(&clock, 1, 5000), 5000); // the wall clock until then
    assert_int_equal(store_clock_measure(&clock, 0, 900000, 2000000, &step_ms), CLOCK_SAME);
    assert_int_equal(store_clock_read(&clock, 900, 5000),
                     2450); // earlier than the wall said: right
}

static void time_never_goes_backwards(void **state)
{
    struct store_clock clock = begun_clock();
    int64_t step_ms = 0;

    (void)state;
    assert_int_equal(store_clock_read(&clock, 20000, 0), 1010000);
    assert_int_equal(store_clock_measure(&clock, 20000000, 20000000, 1005000000, &step_ms),
                     CLOCK_STEP);
    assert_int_equal(store_clock_read(&clock, 20000, 0), 1010000); // stands still
    assert_int_equal(store_clock_read(&clock, 24999, 0), 1010000);
    assert_int_equal(store_clock_read(&clock, 25001, 0), 1010001); // until the store has caught up
}

static void a_jump_waits_for_a_person(void **state)
{
    struct store_clock clock = begun_clock();
    int64_t step_ms = 0;

    (void)state;
    store_clock_follow(&clock); // nothing to accept: no harm
    assert_int_equal(store_clock_read(&clock, 20000, 0), 1010000);
    assert_int_equal(store_clock_measure(&clock, 20000000, 20000000, 500000000, &step_ms),
                     CLOCK_JUMP);
    assert_true(clock.held);
    assert_int_equal(store_clock_measure(&clock, 21000000, 21000000, 501000000, &step_ms),
                     CLOCK_HELD);
    assert_int_equal(store_clock_read(&clock, 21000, 0), 1011000); // runs on by its own
    store_clock_follow(&clock);
    assert_false(clock.held);
    assert_int_equal(store_clock_read(&clock, 22000, 0), 502000);
}

static void with_replay_time_is_what_was_said(void **state)
{
    struct store_clock clock = {.replay = true, .replay_ms = 77};

    (void)state;
    assert_int_equal(store_clock_read(&clock, 20000, 30000), 77);
}

// ---- tickets

static const struct ticket_row {
    const char *name;
    const char *text;
    bool is_good;
    struct ticket ticket;
} TICKETS[] = {
    {"zero", "000000000000000000", true, {0, 0, 0}},
    {"largest", "zzzzzzzzzzzzzzzzzz", true, {0xffffffff, (1ULL << 43) - 1, 32767}},
    {"sequence", "000000000000000001", true, {0, 0, 1}},
    {"time",
     "00000000000000100"
     "0",
     true,
     {0, 1, 0}},
    {"read over the telephone", "0OoIiLl11000000000", true, {0x00044210, 1099511627776ULL * 4, 0}},
    {"too short", "00000000000000000", false, {0, 0, 0}},
    {"too long", "0000000000000000000", false, {0, 0, 0}},
    {"empty", "", false, {0, 0, 0}},
    {"u is no digit", "00000000000000000u", false, {0, 0, 0}},
    {"a dash", "00000000-000000000", false, {0, 0, 0}},
    {"not ASCII",
     "00000000000000\xc3\xa4"
     "00",
     false,
     {0, 0, 0}},
};

static void check_ticket(void **state)
{
    const struct ticket_row *row = *state;
    struct ticket ticket = {.node = 5};

    assert_int_equal(ticket_parse(row->text, &ticket), row->is_good);
    if (!row->is_good) {
        assert_int_equal(ticket.node, 5);
        return;
    }
    char text[TICKET_TEXT_MAX];
    struct ticket again;

    assert_true(ticket_parse(ticket_format(&ticket, text), &again));
    assert_int_equal(track_order(&again, &ticket), 0);
    if (strstr(row->name, "telephone") == NULL) {
        assert_string_equal(text, row->text);
        assert_int_equal(ticket.node, row->ticket.node);
        assert_int_equal(ticket.at_ms, row->ticket.at_ms);
        assert_int_equal(ticket.seq, row->ticket.seq);
    } else {
        assert_string_equal(text, "000111111000000000");
    }
}

static void tickets_rise_whatever_the_clock_does(void **state)
{
    static const uint64_t at_ms[] = {1000, 1000, 1001, 900, 1001, 5, 1002, 1ULL << 50, 1};
    struct store store = {.node = 7};
    struct ticket last = {.node = 0};

    (void)state;
    for (size_t i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++) {
        struct ticket next = ticket_next(&store, at_ms[i]);

        assert_int_equal(next.node, 7);
        assert_true(track_order(&next, &last) > 0);
        last = next;
    }
}

static void more_rows_than_a_millisecond_holds_borrow_from_the_next(void **state)
{
    struct store store = {.node = 7};
    struct ticket last = ticket_next(&store, 1000);

    (void)state;
    for (unsigned i = 0; i < 40000; i++) {
        struct ticket next = ticket_next(&store, 1000);

        assert_true(track_order(&next, &last) > 0);
        assert_true(next.seq <= 32767);
        last = next;
    }
    assert_int_equal(last.at_ms, 1001);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, CLOCKS, check_clock);
    TABLE_TEST(&table, the_first_measurement_counts_however_slow);
    TABLE_TEST(&table, time_never_goes_backwards);
    TABLE_TEST(&table, a_jump_waits_for_a_person);
    TABLE_TEST(&table, with_replay_time_is_what_was_said);
    TABLE_ROWS(&table, TICKETS, check_ticket);
    TABLE_TEST(&table, tickets_rise_whatever_the_clock_does);
    TABLE_TEST(&table, more_rows_than_a_millisecond_holds_borrow_from_the_next);
    return table_run(&table, "the store's clock");
}
