// harvest.c: when a client harvests, and its bans. Promises: no clock, no failure; whatever text is read, no ban that it
// says holds longer than HARVEST_BAN_MOST_MS.
#include "node/core/harvest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(HARVEST_CLIENT_MAX >= IP_TEXT_MAX, "either text fits");

enum { IPV4_CLIENT_BITS = 32, IPV6_CLIENT_BITS = 64, NUMBER_DIGITS_MAX = 15 };

// ---- counts

bool harvest_is_suspect(const struct harvest_bounds *bounds, uint64_t unknown)
{
    return bounds->unknown > 0 && unknown * HARVEST_SUSPECT_PART >= bounds->unknown;
}

bool harvest_is_over(const struct harvest_bounds *bounds, const struct harvest_count *count)
{
    const uint64_t all = count->unknown + count->existing;

    return bounds->unknown > 0 && count->unknown >= bounds->unknown &&
           (double)count->unknown > bounds->share * (double)all;
}

// ---- bans

bool harvest_ban_holds(const struct harvest_ban *ban, uint64_t now_ms)
{
    return ban->since_ms <= now_ms && now_ms < ban->until_ms;
}

static bool is_repeated(const struct harvest_ban *old, uint64_t now_ms)
{
    return old->until_ms > 0 && now_ms - old->until_ms <= HARVEST_REPEAT_MS;
}

struct harvest_ban harvest_ban_next(const struct harvest_ban *old,
                                    const struct harvest_bounds *bounds,
                                    const struct harvest_count *count, uint64_t now_ms)
{
    uint64_t span_ms = bounds->ban_ms;

    if (now_ms < old->until_ms)
        return *old;
    if (is_repeated(old, now_ms))
        span_ms = 2 * (old->until_ms - old->since_ms);
    if (span_ms > bounds->ban_most_ms)
        span_ms = bounds->ban_most_ms;
    return (struct harvest_ban){now_ms + span_ms, now_ms, *count};
}

bool harvest_ban_is_over(const struct harvest_ban *ban, uint64_t now_ms)
{
    return ban->until_ms + HARVEST_REPEAT_MS < now_ms;
}

bool harvest_ban_is_sound(const struct harvest_ban *ban)
{
    return ban->since_ms > 0 && ban->since_ms < ban->until_ms &&
           ban->until_ms - ban->since_ms <= HARVEST_BAN_MOST_MS;
}

static bool read_number(const char **at, char end, uint64_t *out)
{
    uint64_t number = 0;
    size_t digits = 0;

    for (; **at >= '0' && **at <= '9' && digits < NUMBER_DIGITS_MAX; (*at)++, digits++)
        number = number * 10 + (uint64_t)(**at - '0');
    if (digits == 0 || **at != end)
        return false;
    *at += end != '\0';
    *out = number;
    return true;
}

bool harvest_ban_read(const char *value, struct harvest_ban *out)
{
    return read_number(&value, ' ', &out->until_ms) && read_number(&value, ' ', &out->since_ms) &&
           read_number(&value, ' ', &out->count.unknown) &&
           read_number(&value, '\0', &out->count.existing) && harvest_ban_is_sound(out);
}

size_t harvest_ban_write(const struct harvest_ban *ban, char out[HARVEST_VALUE_MAX])
{
    return (size_t)snprintf(out, HARVEST_VALUE_MAX, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
                            ban->until_ms, ban->since_ms, ban->count.unknown, ban->count.existing);
}

// ---- names

struct ip_net harvest_client(const struct ip *ip)
{
    return ip_net_of(ip, ip->family == 4 ? IPV4_CLIENT_BITS : IPV6_CLIENT_BITS);
}

const char *harvest_client_text(const struct ip_net *client, char out[HARVEST_CLIENT_MAX])
{
    return client->ip.family == 4 ? ip_format(&client->ip, out) : ip_net_format(client, out);
}

bool harvest_client_read(const char *text, struct ip_net *out)
{
    char again[HARVEST_CLIENT_MAX];
    struct err_detail detail;
    struct ip_net net;

    if (ip_net_parse(text, &net, &detail) != ERR_NONE ||
        net.bits != (net.ip.family == 4 ? IPV4_CLIENT_BITS : IPV6_CLIENT_BITS) ||
        strcmp(harvest_client_text(&net, again), text) != 0) // one client, one field
        return false;
    *out = net;
    return true;
}

uint64_t harvest_hour(uint64_t at_ms)
{
    return at_ms / HARVEST_HOUR_MS;
}

size_t harvest_key(enum harvest_kind kind, const struct ip_net *client, uint64_t hour,
                   char out[HARVEST_KEY_MAX])
{
    char text[HARVEST_CLIENT_MAX];

    return (size_t)snprintf(out, HARVEST_KEY_MAX, "c:%s:{%s}:%" PRIu64,
                            kind == HARVEST_UNKNOWN ? "harvest" : "exists",
                            harvest_client_text(client, text), hour);
}

// An hour longer than the hour: a node whose clock lags, and who looks at what was.
uint64_t harvest_expiry_ms(uint64_t hour)
{
    return (hour + 2) * HARVEST_HOUR_MS;
}
