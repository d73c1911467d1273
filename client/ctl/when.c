// when.c: see when.h. Promises: a text is taken as a whole or not at all, and no time before 1970
// or after 9999 comes out.
#include "client/ctl/when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WHEN_LAST_MS 253402300799999ULL // the end of the year 9999

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// read_number: a run of 1 to max digits; returns what follows, NULL if there is none or more.
static const char *read_number(const char *text, size_t max, uint64_t *out)
{
    size_t len = strspn(text, "0123456789");
    uint64_t number = 0;

    if (len == 0 || len > max)
        return NULL;
    for (size_t i = 0; i < len; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    *out = number;
    return text + len;
}

// read_exactly: the same of a run of that many digits.
static const char *read_exactly(const char *text, size_t width, uint64_t *out)
{
    const char *rest = read_number(text, width, out);

    return rest != NULL && (size_t)(rest - text) == width ? rest : NULL;
}

// ---- spans: "10m"

static uint64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {
        {"s", 1000},    {"m", 60000},    {"min", 60000},
        {"h", 3600000}, {"d", 86400000}, {"w", 604800000},
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0)
            return units[i].ms;
    }
    return 0;
}

static bool parse_span(const char *text, uint64_t now_ms, uint64_t *out_ms)
{
    uint64_t count = 0;
    const char *rest = read_number(text, 9, &count);
    uint64_t unit = rest == NULL ? 0 : unit_ms(rest);

    if (unit == 0 || count > now_ms / unit)
        return false;
    *out_ms = now_ms - count * unit;
    return true;
}

static bool parse_unix(const char *text, uint64_t *out_ms)
{
    uint64_t number = 0;
    const char *rest = read_number(text, 15, &number);

    if (rest == NULL || *rest != '\0')
        return false;
    *out_ms = rest - text >= 13 ? number : number * 1000;
    return *out_ms <= WHEN_LAST_MS;
}

// ---- dates: "2026-11-21T21:13:01.123+01:00"

struct date {
    uint64_t field[6]; // year, month, day, hour, minute, second
    uint64_t ms;
    int64_t offset_ms;
};

// read_fields: "2026-11-21" and perhaps a time; each field but the year has two digits.
static const char *read_fields(const char *text, struct date *out)
{
    static const char separators[] = "--T::";
    const size_t width[] = {4, 2, 2, 2, 2, 2};

    for (size_t i = 0; i < 6; i++) {
        text = read_exactly(text, width[i], &out->field[i]);
        if (text == NULL)
            return NULL;
        if (i == 2 && *text == '\0')
            return text; // a date alone
        if (i < 5 && *text != separators[i] && !(i == 2 && (*text == ' ' || *text == 't')))
            return NULL;
        text += i < 5;
    }
    return text;
}

static const char *read_fraction(const char *text, struct date *out)
{
    uint64_t scale = 100;

    if (*text != '.')
        return text;
    if (!is_digit(*++text))
        return NULL;
    for (; is_digit(*text); text++, scale /= 10)
        out->ms += (uint64_t)(*text - '0') * scale;
    return text;
}

static const char *read_zone(const char *text, struct date *out)
{
    uint64_t hours = 0, minutes = 0;
    bool west = *text == '-';
    int64_t ms;

    if (*text == 'Z' || *text == 'z')
        return text + 1;
    if (*text != '+' && *text != '-')
        return NULL;
    text = read_exactly(text + 1, 2, &hours);
    if (text == NULL || *text != ':')
        return NULL;
    text = read_exactly(text + 1, 2, &minutes);
    if (text == NULL || hours > 23 || minutes > 59)
        return NULL;
    ms = (int64_t)(hours * 3600000 + minutes * 60000);
    out->offset_ms = west ? -ms : ms;
    return text;
}

// to_ms: false for a date that the calendar does not have.
static bool to_ms(const struct date *date, uint64_t *out_ms)
{
    struct tm tm = {
        .tm_year = (int)date->field[0] - 1900,
        .tm_mon = (int)date->field[1] - 1,
        .tm_mday = (int)date->field[2],
        .tm_hour = (int)date->field[3],
        .tm_min = (int)date->field[4],
        .tm_sec = (int)date->field[5],
    };
    const struct tm asked = tm;
    int64_t ms = (int64_t)timegm(&tm) * 1000 + (int64_t)date->ms - date->offset_ms;

    if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday || tm.tm_hour != asked.tm_hour ||
        tm.tm_min != asked.tm_min || tm.tm_sec != asked.tm_sec || ms < 0)
        return false;
    *out_ms = (uint64_t)ms;
    return true;
}

static bool parse_date(const char *text, uint64_t *out_ms)
{
    bool has_time = strlen(text) > strlen("2026-11-21");
    struct date date = {.ms = 0};
    const char *rest = read_fields(text, &date);

    if (rest != NULL && has_time)
        rest = read_fraction(rest, &date);
    if (rest != NULL && has_time)
        rest = read_zone(rest, &date);
    return rest != NULL && *rest == '\0' && to_ms(&date, out_ms);
}

bool when_parse(const char *text, uint64_t now_ms, uint64_t *out_ms)
{
    return parse_span(text, now_ms, out_ms) || parse_unix(text, out_ms) || parse_date(text, out_ms);
}

const char *when_format(uint64_t ms, char out[WHEN_MAX])
{
    time_t seconds = (time_t)((ms <= WHEN_LAST_MS ? ms : WHEN_LAST_MS) / 1000);
    struct tm tm = {0};

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(out, WHEN_MAX, "%Y-%m-%d %H:%M:%SZ", &tm);
    return out;
}
