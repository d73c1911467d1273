// zone.h: local time, out of a table of what a time zone's clocks do. Pure; the table is read by node/policy.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// From a moment on (Unix s, inclusive) local time is UTC + offset_s.
struct zone_span {
    int64_t from_s;
    int32_t offset_s;
};

// Sorted by from_s; the first one also holds for what was before. No spans: UTC.
struct zone {
    const struct zone_span *span;
    size_t count;
};

// Local time of some days of a week: from begin to end, in minutes since midnight; begin inclusive, end exclusive; an end that is
// not later than begin lies on the next day. days: bit 0 = Monday ... bit 6 = Sunday, of its begin; 0 = every day.
struct zone_window {
    unsigned days;
    unsigned begin_min;
    unsigned end_min;
};

// zone_offset_ms: what to add to Unix ms to get local time.
int64_t zone_offset_ms(const struct zone *zone, uint64_t at_ms);
bool zone_is_inside(const struct zone *zone, const struct zone_window *window, uint64_t at_ms);
// zone_day: local days since 1970-01-01. zone_day_end_ms: the first moment (Unix ms) of the local day after.
uint64_t zone_day(const struct zone *zone, uint64_t at_ms);
uint64_t zone_day_end_ms(const struct zone *zone, uint64_t at_ms);
