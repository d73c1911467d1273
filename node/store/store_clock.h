// store_clock.h: the store's clock as this node keeps it: an offset to the monotonic clock,
// measured by round trips. Pure: time is an argument.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_CLOCK_ROUND_TRIP_MS = 50, // a slower measurement is not used, unless it is the first
    STORE_CLOCK_STEP_MS = 2000,     // a larger step is logged and counted
    STORE_CLOCK_JUMP_MS = 60000,    // a larger step is not believed until a person says so
};

struct store_clock {
    bool known;        // measured at least once
    bool held;         // a jump waits for a person's word
    int64_t offset_ms; // store's time minus monotonic time
    int64_t jumped_ms; // held: the offset that was measured last
    uint64_t last_ms;  // latest time given out: never backwards
    bool replay;
    uint64_t replay_ms;
};

// What a measurement meant.
enum clock_news {
    CLOCK_SAME,    // within 2 s of what was predicted (or the first)
    CLOCK_IGNORED, // the round trip was too slow to tell
    CLOCK_STEP,    // 2 s to 60 s: followed
    CLOCK_JUMP,    // more than 60 s: not followed
    CLOCK_HELD,    // the jump is still there
};

// store_clock_measure: the store said server_us at some moment between sent_us and got_us of the
// monotonic clock. *step_ms is by how much it differs from what was predicted.
enum clock_news store_clock_measure(struct store_clock *clock, uint64_t sent_us, uint64_t got_us,
                                    uint64_t server_us, int64_t *step_ms);
// store_clock_read: the store's time; the wall clock until the first measurement.
uint64_t store_clock_read(struct store_clock *clock, uint64_t mono_ms, uint64_t wall_ms);
// store_clock_follow: a person says that the new time is right.
void store_clock_follow(struct store_clock *clock);
