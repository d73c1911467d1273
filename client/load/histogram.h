// histogram.h: how long things took, as counts. Each power of two of microseconds is cut into 64
// equal parts (as in HdrHistogram), so a percentile is at most 1.6 % above the true value, whatever
// its size, in a fixed 10 KiB.
#pragma once

#include <stdint.h>

enum {
    HISTOGRAM_PARTS = 64,  // of one power of two
    HISTOGRAM_POWERS = 21, // beyond the first 64 us
    HISTOGRAM_CELLS = HISTOGRAM_PARTS * (HISTOGRAM_POWERS + 1),
};
// What takes longer (2 minutes) counts as this.
#define HISTOGRAM_MAX_US ((uint64_t)HISTOGRAM_PARTS * (1ULL << HISTOGRAM_POWERS) - 1)

struct histogram { // zeroed = empty
    uint64_t cell[HISTOGRAM_CELLS];
    uint64_t count;
    uint64_t max_us; // the longest that was added, not rounded
};

void histogram_add(struct histogram *histogram, uint64_t us);
void histogram_merge(struct histogram *into, const struct histogram *other);

// histogram_at: the time in us within which this share (0 to 1) of all was done: the upper end of
// its cell, or the longest where that is less. 0 when nothing was added.
uint64_t histogram_at(const struct histogram *histogram, double share);
