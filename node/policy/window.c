// window.c: when a policy holds, as a person writes it: times of day, days of the week, or both.
//
//     09:00-18:00    mon-fri    sat,sun    mon-fri 22:00-06:00    fri-mon,wed 00:00-24:00
//
// Days are those on which the window begins; an end that is not later than the begin lies on the next day.
#include <string.h>

#include "node/policy/build.h"
#include "proto/text.h"

enum { DAYS = 7, EVERY_DAY = 0x7f, MINUTES_OF_DAY = 24 * 60, DAY_LETTERS = 3 };
static const char *const day_words[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

// ---- reading: each moves *text behind what it took

static bool take(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool take_two_digits(const char **text, unsigned *out)
{
    const char *at = *text;

    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return false;
    *out = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    *text += 2;
    return true;
}

static bool take_time(const char **text, unsigned *out_min)
{
    unsigned hours;
    unsigned minutes;

    if (!take_two_digits(text, &hours) || !take(text, ':') || !take_two_digits(text, &minutes))
        return false;
    *out_min = hours * 60 + minutes;
    return minutes < 60 && *out_min <= MINUTES_OF_DAY;
}

static bool take_times(const char **text, struct zone_window *out)
{
    return take_time(text, &out->begin_min) && out->begin_min < MINUTES_OF_DAY && take(text, '-') &&
           take_time(text, &out->end_min);
}

static bool take_day(const char **text, unsigned *out)
{
    for (unsigned day = 0; day < DAYS; day++) {
        if (strncmp(*text, day_words[day], DAY_LETTERS) == 0) {
            *out = day;
            *text += DAY_LETTERS;
            return true;
        }
    }
    return false;
}

// "fri-mon" goes over the week's end.
static bool take_days(const char **text, unsigned *out)
{
    do {
        unsigned first;
        unsigned last;

        if (!take_day(text, &first))
            return false;
        last = first;
        if (take(text, '-') && !take_day(text, &last))
            return false;
        for (unsigned day = first;; day = (day + 1) % DAYS) {
            *out |= 1U << day;
            if (day == last)
                break;
        }
    } while (take(text, ','));
    return true;
}

bool window_read(const char *text, struct zone_window *out)
{
    struct zone_window window = {.days = 0, .begin_min = 0, .end_min = MINUTES_OF_DAY};
    bool has_days = text[0] >= 'a' && text[0] <= 'z';

    if (has_days && !take_days(&text, &window.days))
        return false;
    if (!has_days || take(&text, ' ')) {
        if (!take_times(&text, &window))
            return false;
    }
    if (text[0] != '\0')
        return false;
    if (window.days == EVERY_DAY)
        window.days = 0; // so that what is the same has one form
    *out = window;
    return true;
}

// ---- writing

const char *window_format(const struct zone_window *window, char out[POLICY_WINDOW_TEXT_MAX])
{
    struct text_buf text;

    text_buf_init(&text, out, POLICY_WINDOW_TEXT_MAX);
    for (unsigned day = 0; day < DAYS; day++) {
        if ((window->days >> day & 1) != 0)
            text_buf_add(&text, "%s%s", text.used > 0 ? "," : "", day_words[day]);
    }
    text_buf_add(&text, "%s%02u:%02u-%02u:%02u", text.used > 0 ? " " : "", window->begin_min / 60,
                 window->begin_min % 60, window->end_min / 60, window->end_min % 60);
    return out;
}
