// zone.c: settings.timezone: what the clocks of a time zone of the tz database do from 1970 to 2100, as a table for
// core/zone.h. GLib reads the database; nothing of it is kept.
//
// Promises: a name that the database does not have is an error that names the setting; a name leads nowhere but
// into the database. What is read is what this host's database says: hosts with another edition of it may
// disagree about a country that has changed its mind lately.
#include <glib.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"

#define ZONE_BEGIN_S 0LL
#define ZONE_END_S   4102444800LL // 2100-01-01

struct table {
    GTimeZone *zone;
    struct zone_span *span;
    size_t count;
};

static gint interval_at(const struct table *table, int64_t at_s)
{
    return g_time_zone_find_interval(table->zone, G_TIME_TYPE_UNIVERSAL, at_s);
}

// Another interval may have the same offset: only a name changed, or what counts as summer.
static void add_span(struct table *table, int64_t from_s)
{
    int32_t offset_s = g_time_zone_get_offset(table->zone, interval_at(table, from_s));

    if (table->count > 0 && table->span[table->count - 1].offset_s == offset_s)
        return;
    table->span = mem_grow(table->span, table->count + 1, sizeof(*table->span));
    table->span[table->count++] = (struct zone_span){from_s, offset_s};
}

// The spans that begin behind low and up to high. GLib says of a moment which interval it lies in, not where that
// begins: so it is searched for, by halves. Intervals are numbered in order.
static void search(struct table *table, int64_t low_s, int64_t high_s)
{
    if (interval_at(table, low_s) == interval_at(table, high_s))
        return;
    if (high_s - low_s == 1) {
        add_span(table, high_s);
        return;
    }
    int64_t middle_s = low_s + (high_s - low_s) / 2;

    search(table, low_s, middle_s); // 32 levels at most
    search(table, middle_s, high_s);
}

// A name of the database: no path out of it, and none of the files beside the zones, which have a dot.
static bool is_name(const char *text)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

    return text[0] != '\0' && text[0] != '/' && text[strspn(text, fine)] == '\0';
}

enum err zone_read(struct policy_build *build, const struct yaml_node *node,
                   struct err_detail *detail)
{
    const char *name = build->policy.settings.timezone;
    struct table table = {.zone = NULL};

    if (node == NULL || strcmp(name, "UTC") == 0)
        return ERR_NONE;
    if (is_name(name))
        table.zone = g_time_zone_new_identifier(name);
    if (table.zone == NULL)
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: settings.timezone: '%s' is no time zone that this host knows; "
                       "expected a name like Europe/Berlin, or UTC (the package tzdata has them)",
                       node->file, node->line, name);
    add_span(&table, ZONE_BEGIN_S);
    search(&table, ZONE_BEGIN_S, ZONE_END_S);
    g_time_zone_unref(table.zone);
    build->policy.zone = (struct zone){build_keep(build, table.span), table.count};
    return ERR_NONE;
}
