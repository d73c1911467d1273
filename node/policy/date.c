// date.c: days and moments in UTC (RFC 3339), by arithmetic: no time zone, no locale, no system
// call.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/policy/build.h"

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29U : days[month - 1];
}

// days_before: days from 1970-01-01 to the first of January of a year.
static unsigned days_before(unsigned year)
{
    unsigned past = year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

// take_number: exactly so many digits, moving *at behind them.
static bool take_number(const char **at, size_t digits, unsigned *out)
{
    unsigned value = 0;

    if (strspn(*at, "0123456789") < digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)((*at)[i] - '0');
    *at += digits;
    *out = value;
    return true;
}

static bool take_sign(const char **at, char sign)
{
    if (**at != sign)
        return false;
    (*at)++;
    return true;
}

static bool take_day(const char **at, uint64_t *out_days)
{
    unsigned year = 0;
    unsigned month = 0;
    unsigned day = 0;
    unsigned days = 0;

    if (!take_number(at, 4, &year) || !take_sign(at, '-') || !take_number(at, 2, &month) ||
        !take_sign(at, '-') || !take_number(at, 2, &day))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    for (unsigned m = 1; m < month; m++)
        days += days_in(year, m);
    *out_days = (uint64_t)days_before(year) + days + day - 1;
    return true;
}

static bool take_time(const char **at, uint64_t *out_s)
{
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;

    if (!take_sign(at, 'T') || !take_number(at, 2, &hour) || !take_sign(at, ':') ||
        !take_number(at, 2, &minute) || !take_sign(at, ':') || !take_number(at, 2, &second) ||
        !take_sign(at, 'Z'))
        return false;
    *out_s = ((uint64_t)hour * 60 + minute) * 60 + second;
    return hour < 24 && minute < 60 && second < 60;
}

bool date_parse(const char *text, uint64_t *out_ms)
{
    uint64_t days = 0;
    uint64_t seconds = 0;

    if (!take_day(&text, &days))
        return false;
    if (*text != '\0' && !take_time(&text, &seconds))
        return false;
    if (*text != '\0')
        return false;
    *out_ms = (days * 86400 + seconds) * 1000;
    return true;
}

const char *date_format(uint64_t at_ms, char out[POLICY_DATE_TEXT_MAX])
{
    unsigned days = (unsigned)(at_ms / 86400000);
    unsigned seconds = (unsigned)(at_ms / 1000 % 86400);
    unsigned year = 1970 + days / 366;
    unsigned month = 1;

    while (days_before(year + 1) <= days)
        year++;
    days -= days_before(year);
    for (; days >= days_in(year, month); month++)
        days -= days_in(year, month);
    (void)snprintf(out, POLICY_DATE_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ", year, month,
                   days + 1, seconds / 3600, seconds / 60 % 60, seconds % 60);
    return out;
}
