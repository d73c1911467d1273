// store_clock.c: an offset by round trip. Promises: pure; time given out never goes backwards, but
// once when a person accepts a jump backwards.
//
//     sent          got         monotonic clock of this host
//      |-----x-------|          server's answer is of about the middle: offset = server - (sent +
//      got) / 2
#include "node/store/store_clock.h"

static int64_t measured_offset_ms(uint64_t sent_us, uint64_t got_us, uint64_t server_us)
{
    return ((int64_t)server_us - (int64_t)(sent_us / 2 + got_us / 2)) / 1000;
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

static void begin(struct store_clock *clock, int64_t offset_ms)
{
    clock->known = true;
    clock->offset_ms = offset_ms;
    clock->last_ms = 0; // what the wall clock said before does not count
}

enum clock_news store_clock_measure(struct store_clock *clock, uint64_t sent_us, uint64_t got_us,
                                    uint64_t server_us, int64_t *step_ms)
{
    int64_t offset_ms = measured_offset_ms(sent_us, got_us, server_us);

    *step_ms = clock->known ? offset_ms - clock->offset_ms : 0;
    if (!clock->known) {
        begin(clock, offset_ms);
        return CLOCK_SAME;
    }
    if (got_us - sent_us > STORE_CLOCK_ROUND_TRIP_MS * 1000U)
        return CLOCK_IGNORED;
    if (clock->held || magnitude(*step_ms) > STORE_CLOCK_JUMP_MS) {
        bool was_held = clock->held;

        clock->held = true;
        clock->jumped_ms = offset_ms;
        return was_held ? CLOCK_HELD : CLOCK_JUMP;
    }
    clock->offset_ms = offset_ms;
    return magnitude(*step_ms) > STORE_CLOCK_STEP_MS ? CLOCK_STEP : CLOCK_SAME;
}

uint64_t store_clock_read(struct store_clock *clock, uint64_t mono_ms, uint64_t wall_ms)
{
    uint64_t now_ms = wall_ms;

    if (clock->replay)
        return clock->replay_ms;
    if (clock->known)
        now_ms = (uint64_t)((int64_t)mono_ms + clock->offset_ms);
    if (now_ms > clock->last_ms)
        clock->last_ms = now_ms;
    return clock->last_ms;
}

void store_clock_follow(struct store_clock *clock)
{
    if (!clock->held)
        return;
    clock->held = false;
    clock->offset_ms = clock->jumped_ms;
    clock->last_ms = 0;
}
