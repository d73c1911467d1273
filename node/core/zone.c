// zone.c: local time. Promises: any moment and any table give an answer; a day that the clocks made shorter or
// longer, or whose midnight they left out, ends when the local calendar shows another one.
#include "node/core/zone.h"

static const int64_t DAY_S = 24 * 3600;

enum { DAYS_OF_WEEK = 7, THURSDAY = 3, MINUTES_OF_DAY = 24 * 60 };

// The span that holds at that moment, by number; 0 also for what was before the first.
static size_t span_at(const struct zone *zone, int64_t at_s)
{
    size_t low = 0;
    size_t high = zone->count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (zone->span[middle].from_s <= at_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int64_t offset_s(const struct zone *zone, int64_t at_s)
{
    return zone->count > 0 ? zone->span[span_at(zone, at_s)].offset_s : 0;
}

static int64_t seconds(uint64_t at_ms)
{
    return (int64_t)(at_ms / 1000);
}

// Local seconds since the local 1970-01-01; what would lie before is its beginning.
static int64_t local_s(const struct zone *zone, uint64_t at_ms)
{
    int64_t local = seconds(at_ms) + offset_s(zone, seconds(at_ms));

    return local > 0 ? local : 0;
}

int64_t zone_offset_ms(const struct zone *zone, uint64_t at_ms)
{
    return offset_s(zone, seconds(at_ms)) * 1000;
}

uint64_t zone_day(const struct zone *zone, uint64_t at_ms)
{
    return (uint64_t)(local_s(zone, at_ms) / DAY_S);
}

static bool has_day(const struct zone_window *window, uint64_t day)
{
    return window->days == 0 || (window->days >> (day + THURSDAY) % DAYS_OF_WEEK & 1) != 0;
}

bool zone_is_inside(const struct zone *zone, const struct zone_window *window, uint64_t at_ms)
{
    int64_t local = local_s(zone, at_ms);
    uint64_t day = (uint64_t)(local / DAY_S);
    unsigned minute = (unsigned)(local % DAY_S / 60);

    if (window->end_min > window->begin_min)
        return has_day(window, day) && minute >= window->begin_min && minute < window->end_min;
    return (has_day(window, day) && minute >= window->begin_min) ||
           (has_day(window, day + DAYS_OF_WEEK - 1) && minute < window->end_min);
}

//      span      offset o              next span
//      ----------|---------------------|-----------      the next day begins at (day + 1) * 24 h - o, if that lies
//                from_s      ^         from_s            in the span; a span in which it began before is that day
//                            midnight                    from its first moment on
uint64_t zone_day_end_ms(const struct zone *zone, uint64_t at_ms)
{
    int64_t next_s = ((int64_t)zone_day(zone, at_ms) + 1) * DAY_S;

    for (size_t i = span_at(zone, seconds(at_ms)); i + 1 < zone->count; i++) {
        int64_t midnight_s = next_s - zone->span[i].offset_s;

        if (midnight_s < zone->span[i].from_s && i > 0)
            return (uint64_t)zone->span[i].from_s * 1000;
        if (midnight_s < zone->span[i + 1].from_s)
            return (uint64_t)midnight_s * 1000;
    }
    const struct zone_span *last = zone->count > 0 ? &zone->span[zone->count - 1] : NULL;
    int64_t midnight_s = next_s - (last != NULL ? last->offset_s : 0);

    return (uint64_t)(last != NULL && midnight_s < last->from_s ? last->from_s : midnight_s) * 1000;
}
