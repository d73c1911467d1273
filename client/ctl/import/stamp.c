// stamp.c: see stamp.h.
#include "client/ctl/import/stamp.h"

#include <string.h>
#include <time.h>

#include "client/ctl/when.h"

enum { SYSLOG_LEN = 15, DAY_MS = 86400000 };

static const char *month_name(int month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    return names + (size_t)month * 3;
}

// digits: a number of exactly so many characters; blanks in front are fine. -1 if it is none.
static int digits(const char *text, size_t count)
{
    int number = 0;
    size_t i = 0;

    while (i + 1 < count && text[i] == ' ')
        i++;
    for (; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

// local_ms: a time of this host's zone; false if there is no such.
static bool local_ms(struct tm tm, uint64_t *out)
{
    time_t seconds;

    tm.tm_isdst = -1;
    seconds = mktime(&tm);
    *out = (uint64_t)seconds * 1000;
    return seconds >= 0;
}

// guess_year: of the minute, which has none.
static bool guess_year(struct stamp_clock *clock)
{
    time_t latest = (time_t)(clock->latest_ms / 1000);
    struct tm tm = {.tm_mon = clock->minute[0],
                    .tm_mday = clock->minute[1],
                    .tm_hour = clock->minute[2],
                    .tm_min = clock->minute[3]};
    struct tm last;

    if (localtime_r(&latest, &last) == NULL)
        return false;
    tm.tm_year = last.tm_year;
    if (!local_ms(tm, &clock->minute_ms))
        return false;
    if (clock->minute_ms <= clock->latest_ms + DAY_MS)
        return true;
    tm.tm_year--;
    return local_ms(tm, &clock->minute_ms);
}

static bool read_syslog(struct stamp_clock *clock, const char *line, uint64_t *at_ms)
{
    int month = 0;

    if (strnlen(line, SYSLOG_LEN) < SYSLOG_LEN || line[3] != ' ' || line[6] != ' ' ||
        line[9] != ':' || line[12] != ':')
        return false;
    while (month < 12 && memcmp(line, month_name(month), 3) != 0)
        month++;
    const int minute[4] = {month, digits(line + 4, 2), digits(line + 7, 2), digits(line + 10, 2)};
    int second = digits(line + 13, 2);

    if (month == 12 || minute[1] < 1 || minute[1] > 31 || minute[2] < 0 || minute[2] > 23 ||
        minute[3] < 0 || minute[3] > 59 || second < 0 || second > 60)
        return false;
    if (!clock->is_known || memcmp(minute, clock->minute, sizeof(minute)) != 0) {
        memcpy(clock->minute, minute, sizeof(minute));
        clock->is_known = guess_year(clock);
    }
    *at_ms = clock->minute_ms + (uint64_t)second * 1000;
    return clock->is_known;
}

// take_zone: " +0100" with a blank behind it, in seconds; false if there is none.
static bool take_zone(const char *text, long *seconds)
{
    int hours, minutes;

    if (text[0] != ' ' || (text[1] != '+' && text[1] != '-') || strcspn(text + 2, " ") != 4)
        return false;
    hours = digits(text + 2, 2);
    minutes = digits(text + 4, 2);
    *seconds = (hours * 60 + minutes) * (text[1] == '-' ? -60L : 60L);
    return hours >= 0 && minutes >= 0;
}

// read_plain: "2026-11-21 21:13:01", of this host's zone; also with a fraction, which is dropped, and
// with a zone, as Exim can be set to write it.
static bool read_plain(const char *line, uint64_t *at_ms, size_t *took)
{
    struct tm tm = {0};
    const char *end = strptime(line, "%Y-%m-%d %H:%M:%S", &tm);
    long zone_s = 0;
    time_t seconds;

    if (end != line + strlen("2026-11-21 21:13:01"))
        return false;
    if (*end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    *took = (size_t)(end - line);
    if (!take_zone(end, &zone_s))
        return local_ms(tm, at_ms);
    *took += strlen(" +0100");
    seconds = timegm(&tm) - zone_s;
    *at_ms = (uint64_t)seconds * 1000;
    return seconds >= 0;
}

// read_rfc3339: also with a zone that has no colon, as `journalctl -o short-iso` writes it.
static bool read_rfc3339(const char *line, size_t len, uint64_t *at_ms)
{
    char text[48];

    if (len < strlen("2026-11-21T21:13:01Z") || len > sizeof(text) - 2 || line[10] != 'T')
        return false;
    memcpy(text, line, len);
    text[len] = '\0';
    if (text[len - 1] != 'Z' && text[len - 3] != ':') {
        memmove(text + len - 1, text + len - 2, 3);
        text[len - 2] = ':';
    }
    return when_parse(text, 0, at_ms);
}

bool stamp_read(struct stamp_clock *clock, const char *line, uint64_t *at_ms, size_t *took)
{
    *took = strcspn(line, " ");
    if (line[0] < '0' || line[0] > '9') {
        *took = SYSLOG_LEN;
        return read_syslog(clock, line, at_ms);
    }
    if (read_rfc3339(line, *took, at_ms))
        return true;
    return read_plain(line, at_ms, took);
}
