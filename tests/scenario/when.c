// when.c: times and spans of time as a scenario writes them.
#include "tests/scenario/when.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct unit {
    const char *name;
    int64_t ms;
};

// Longer names first: "ms" and "min" begin with "m".
static const struct unit UNITS[] = {
    {"ms", 1}, {"min", 60000}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

static bool read_unit(const char **text, int64_t *ms)
{
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        size_t len = strlen(UNITS[i].name);

        if (strncmp(*text, UNITS[i].name, len) == 0) {
            *text += len;
            *ms = UNITS[i].ms;
            return true;
        }
    }
    return false;
}

// One part: [+-]digits unit. A lone 0 needs no unit.
static bool read_part(const char **text, int64_t *ms)
{
    int64_t sign = **text == '-' ? -1 : 1;
    int64_t unit = 0;
    char *end;
    long long number;

    if (**text == '+' || **text == '-')
        (*text)++;
    if (!isdigit((unsigned char)**text))
        return false;
    number = strtoll(*text, &end, 10);
    *text = end;
    if (!read_unit(text, &unit) && number != 0)
        return false;
    *ms += sign * number * unit;
    return true;
}

bool when_span(const char *text, int64_t *out_ms)
{
    int64_t ms = 0;

    do {
        if (!read_part(&text, &ms))
            return false;
    } while (*text == '+' || *text == '-');
    if (*text != '\0')
        return false;
    *out_ms = ms;
    return true;
}

// read_date: 2026-11-21T00:00:00Z; *rest is what follows.
static bool read_date(const char *text, const char **rest, uint64_t *out_ms)
{
    struct tm tm = {0};

    *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (*rest == NULL)
        return false;
    *out_ms = (uint64_t)timegm(&tm) * 1000;
    return true;
}

bool when_time(const char *text, uint64_t start_ms, uint64_t now_ms, uint64_t *out_ms)
{
    uint64_t base_ms = *text == '+' ? now_ms : start_ms;
    const char *rest = text;
    int64_t span_ms = 0;

    if (strchr(text, 'T') != NULL && !read_date(text, &rest, &base_ms))
        return false;
    if (*rest != '\0' && !when_span(rest, &span_ms))
        return false;
    *out_ms = (uint64_t)((int64_t)base_ms + span_ms);
    return true;
}
