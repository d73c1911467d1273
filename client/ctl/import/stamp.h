// stamp.h: the time in front of a line of a mail log. Pure but for the host's time zone.
//
//     Nov 21 21:13:01                        syslog's own: local time, without a year
//     2026-11-21T21:13:01.123456+01:00       RFC 3339, as rsyslog, systemd and rspamd write it
//     2026-11-21 21:13:01                    rspamd's and Exim's own: local time
//     2026-11-21 21:13:01.123 +0100          Exim's, with ms and zone
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stamp_clock {
    uint64_t latest_ms; // no line is later: when the file was written last, or now
    // The minute that was computed last: nearly all lines share one with the line before.
    int minute[4]; // month, day, hour, minute
    uint64_t minute_ms;
    bool is_known;
};

// stamp_read: true, the time and how many bytes it takes; the year of one that has none is the last
// one in which it was not more than a day after latest_ms.
bool stamp_read(struct stamp_clock *clock, const char *line, uint64_t *at_ms, size_t *took);
