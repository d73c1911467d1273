// Local time: the table by hand, and what this host's tz database says of zones with every kind of trouble: two
// hemispheres, a midnight that does not exist, one that comes twice, a day that was left out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

static const uint64_t DAY_MS = 24ULL * 3600 * 1000;

// ---- zones out of the database

static enum err load(const char *name, struct policy **out, struct err_detail *detail)
{
    char *text = mem_format("settings: {timezone: \"%s\"}\n", name);
    enum err err = policy_parse("p.yaml", text, strlen(text), out, detail);

    mem_free(text);
    return err;
}

static struct policy *zone_of(const char *name)
{
    struct err_detail detail = {.text = ""};
    struct policy *policy = NULL;

    if (load(name, &policy, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    return policy;
}

// Unix times as `date -u -d ... +%s` gives them.
static const struct offset_row {
    const char *name;
    const char *zone;
    int64_t at_s;
    int64_t offset_s;
} OFFSETS[] = {
    {"utc", "UTC", 1767592800, 0},
    {"berlin in winter", "Europe/Berlin", 1767592800, 3600},
    {"berlin, a second before summer", "Europe/Berlin", 1774745999, 3600},
    {"berlin, summer begins", "Europe/Berlin", 1774746000, 7200},
    {"berlin, the last second of summer", "Europe/Berlin", 1792889999, 7200},
    {"berlin, winter begins", "Europe/Berlin", 1792890000, 3600},
    {"berlin in 2099", "Europe/Berlin", 4087497600, 7200},
    {"sydney in its summer", "Australia/Sydney", 1767592800, 39600},
    {"sydney, the last second of it", "Australia/Sydney", 1775318399, 39600},
    {"sydney, its winter begins", "Australia/Sydney", 1775318400, 36000},
    {"half an hour of summer", "Australia/Lord_Howe", 1767592800, 39600},
    {"lord howe in winter", "Australia/Lord_Howe", 1782000000, 37800},
    {"three quarters", "Asia/Kathmandu", 1767592800, 20700},
    {"west", "America/New_York", 1767592800, -18000},
    {"without changes", "Etc/GMT+5", 1767592800, -18000},
    {"the first second", "Europe/Berlin", 0, 3600},
};

static void check_offset(void **state)
{
    const struct offset_row *row = *state;
    struct policy *policy = zone_of(row->zone);

    assert_int_equal(zone_offset_ms(&policy->zone, (uint64_t)row->at_s * 1000),
                     row->offset_s * 1000);
    policy_free(&policy);
}

static const struct end_row {
    const char *name;
    const char *zone;
    int64_t at_s;
    int64_t end_s; // first second of the next local day
} ENDS[] = {
    {"utc", "UTC", 1767592800, 1767657600},
    {"at midnight a day begins", "UTC", 1767657600, 1767744000},
    {"berlin", "Europe/Berlin", 1767592800, 1767654000},
    {"berlin's day of 23 hours", "Europe/Berlin", 1774739000, 1774821600},
    {"berlin's day of 25 hours", "Europe/Berlin", 1792880000, 1792969200},
    {"sao paulo 2018: 3 November ends when 4 November begins at 01:00", "America/Sao_Paulo",
     1541260000, 1541300400},
    {"and 4 November", "America/Sao_Paulo", 1541300400, 1541383200},
    {"beirut 2026: 28 March ends when the 29th begins at 01:00", "Asia/Beirut", 1774730000,
     1774735200},
    {"havana 2026: the hour before midnight is not repeated over it", "America/Havana", 1793505600,
     1793509200 + 23 * 3600 + 3600},
    {"st john's 2010, before its first midnight", "America/St_Johns", 1289096400, 1289097000},
    {"after 00:01 came 23:01 again, and midnight twice", "America/St_Johns", 1289097600,
     1289100600},
    {"samoa 2011: 29 December ends when the 31st begins", "Pacific/Apia", 1325200000, 1325239200},
};

static void check_end(void **state)
{
    const struct end_row *row = *state;
    struct policy *policy = zone_of(row->zone);
    uint64_t at_ms = (uint64_t)row->at_s * 1000;
    uint64_t end_ms = zone_day_end_ms(&policy->zone, at_ms);

    assert_int_equal(end_ms / 1000, row->end_s);
    assert_true(zone_day(&policy->zone, end_ms) > zone_day(&policy->zone, at_ms));
    assert_true(zone_day(&policy->zone, end_ms - 1) <= zone_day(&policy->zone, at_ms));
    policy_free(&policy);
}

// Whatever a zone does: the end of a day is after it, and is the first moment of a later one.
static void every_day_ends_where_the_next_begins(void **state)
{
    static const char *const ZONES[] = {"Europe/Berlin",       "America/Sao_Paulo", "Asia/Beirut",
                                        "America/Havana",      "America/St_Johns",  "Pacific/Apia",
                                        "Australia/Lord_Howe", "Africa/Casablanca", "UTC"};

    (void)state;
    for (size_t i = 0; i < sizeof(ZONES) / sizeof(ZONES[0]); i++) {
        struct policy *policy = zone_of(ZONES[i]);
        const struct zone *zone = &policy->zone;

        for (uint64_t at_ms = DAY_MS; at_ms < 130 * 365 * DAY_MS;) {
            uint64_t end_ms = zone_day_end_ms(zone, at_ms);

            if (end_ms <= at_ms || end_ms > at_ms + 3 * DAY_MS ||
                zone_day(zone, end_ms) <= zone_day(zone, at_ms) ||
                zone_day(zone, end_ms - 1) > zone_day(zone, at_ms))
                fail_msg("%s: %llu", ZONES[i], (unsigned long long)at_ms);
            at_ms = end_ms;
        }
        policy_free(&policy);
    }
}

static const struct refused_row {
    const char *name;
    const char *zone;
} REFUSED[] = {
    {"no such zone", "Europe/Nowhere"},
    {"a folder", "Europe"},
    {"another file of the database", "zone.tab"},
    {"a path out of it", "../../../etc/passwd"},
    {"an absolute path", "/usr/share/zoneinfo/Europe/Berlin"},
    {"blank", " "},
    {"a blank behind it", "Europe/Berlin "},
};

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    struct err_detail detail = {.text = ""};
    struct policy *policy = NULL;

    assert_int_equal(load(row->zone, &policy, &detail), ERR_CONFIG);
    assert_non_null(strstr(detail.text, "p.yaml:1: settings.timezone: '"));
    assert_non_null(strstr(detail.text, "is no time zone that this host knows"));
    assert_null(policy);
}

// ---- windows

static const struct window_row {
    const char *name;
    struct zone_window window;
    unsigned day; // 0 = Monday
    unsigned minute;
    bool inside;
} WINDOWS[] = {
    {"before", {0, 540, 1080}, 0, 539, false},
    {"its first minute", {0, 540, 1080}, 0, 540, true},
    {"its last minute", {0, 540, 1080}, 0, 1079, true},
    {"its end", {0, 540, 1080}, 0, 1080, false},
    {"over midnight, evening", {0, 1320, 360}, 0, 1320, true},
    {"over midnight, morning", {0, 1320, 360}, 0, 359, true},
    {"over midnight, its end", {0, 1320, 360}, 0, 360, false},
    {"over midnight, noon", {0, 1320, 360}, 0, 720, false},
    {"a day of its own", {1U << 2, 540, 1080}, 2, 600, true},
    {"the day before", {1U << 2, 540, 1080}, 1, 600, false},
    {"over midnight of its day", {1U << 2, 1320, 360}, 3, 100, true},
    {"the morning of its day is another's", {1U << 2, 1320, 360}, 2, 100, false},
    {"sunday's night is on monday", {1U << 6, 1320, 360}, 0, 100, true},
    {"monday's is not on sunday", {1U << 0, 1320, 360}, 6, 1320, false},
    {"all day", {0, 0, 1440}, 4, 1439, true},
    {"from a moment to itself is all day", {0, 600, 600}, 4, 599, true},
    {"of one day only", {1U << 4, 600, 600}, 5, 599, true},
    {"and no longer", {1U << 4, 600, 600}, 5, 600, false},
};

static void check_window(void **state)
{
    const struct window_row *row = *state;
    const struct zone utc = {NULL, 0};
    uint64_t monday_ms = 1767571200000ULL; // 2026-01-05
    uint64_t at_ms = monday_ms + row->day * DAY_MS + row->minute * 60000ULL;

    assert_int_equal(zone_is_inside(&utc, &row->window, at_ms), row->inside);
    assert_int_equal(zone_is_inside(&utc, &row->window, at_ms + 59999), row->inside);
}

static void before_1970_it_is_1970(void **state)
{
    const struct zone_span west[] = {{0, -18000}};
    const struct zone zone = {west, 1};

    (void)state;
    assert_int_equal(zone_day(&zone, 0), 0);
    assert_int_equal(zone_day_end_ms(&zone, 0), DAY_MS + 18000000ULL);
}

static void what_was_before_the_first_span_is_like_it(void **state)
{
    const struct zone_span spans[] = {{1000000, 3600}, {2000000, 7200}};
    const struct zone zone = {spans, 2};

    (void)state;
    assert_int_equal(zone_offset_ms(&zone, 0), 3600000);
    assert_int_equal(zone_offset_ms(&zone, 1999999999), 3600000);
    assert_int_equal(zone_offset_ms(&zone, 2000000000), 7200000);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, OFFSETS, check_offset);
    TABLE_ROWS(&table, ENDS, check_end);
    TABLE_ROWS(&table, REFUSED, check_refused);
    TABLE_ROWS(&table, WINDOWS, check_window);
    TABLE_TEST(&table, every_day_ends_where_the_next_begins);
    TABLE_TEST(&table, before_1970_it_is_1970);
    TABLE_TEST(&table, what_was_before_the_first_span_is_like_it);
    return table_run(&table, "zone");
}
