// when.h: times and spans of time as a scenario writes them.
//
//     span   59s   12h+1s   36d-1ms   0          units ms, s, min (or m), h, d; parts joined by +
//     or - time   +61s                                after now
//            12h+1s                              after the scenario's start
//            2026-11-21T00:00:00Z-1ms            absolute (UTC), with a span added or taken away
#pragma once

#include <stdbool.h>
#include <stdint.h>

// when_span: the whole text is a span; negative ones begin with -. False, and *out untouched, if it
// is none.
bool when_span(const char *text, int64_t *out_ms);
// when_time: the whole text is a time; start_ms and now_ms are what relative ones count from.
bool when_time(const char *text, uint64_t start_ms, uint64_t now_ms, uint64_t *out_ms);
