// histogram.c: see histogram.h. Promises: no time is outside, and nothing is allocated.
#include "client/load/histogram.h"

#include <math.h>

// The cell of a time: the first HISTOGRAM_PARTS cells are one microsecond wide, then each
// HISTOGRAM_PARTS cells are twice as wide as those before.
static unsigned cell_of(uint64_t us)
{
    unsigned power = 0;

    if (us > HISTOGRAM_MAX_US)
        us = HISTOGRAM_MAX_US;
    while (us >= HISTOGRAM_PARTS * 2U) {
        us >>= 1;
        power++;
    }
    return us < HISTOGRAM_PARTS ? (unsigned)us : power * HISTOGRAM_PARTS + (unsigned)us;
}

// The longest time that falls into the cell.
static uint64_t end_of(unsigned cell)
{
    unsigned power = cell < HISTOGRAM_PARTS ? 0 : cell / HISTOGRAM_PARTS - 1;
    uint64_t first = cell < HISTOGRAM_PARTS ? cell : cell % HISTOGRAM_PARTS + HISTOGRAM_PARTS;

    return ((first + 1) << power) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t us)
{
    histogram->cell[cell_of(us)]++;
    histogram->count++;
    if (us > histogram->max_us)
        histogram->max_us = us;
}

void histogram_merge(struct histogram *into, const struct histogram *other)
{
    for (unsigned i = 0; i < HISTOGRAM_CELLS; i++)
        into->cell[i] += other->cell[i];
    into->count += other->count;
    if (other->max_us > into->max_us)
        into->max_us = other->max_us;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
    double wanted = ceil(share * (double)histogram->count);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
        seen += histogram->cell[i];
        if (seen > 0 && (double)seen >= wanted)
            return end_of(i) < histogram->max_us ? end_of(i) : histogram->max_us;
    }
    return histogram->max_us;
}
