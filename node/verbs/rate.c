// rate.c: a table of sets of eight. Promises: no allocation after rate_new; networks are compared, not only
// their hash; whoever fills a set with networks of his own pushes out none that has counted more than they.
#include "node/verbs/rate.h"

#include "node/core/chain.h"
#include "proto/base/mem.h"

enum { WAYS = 8 };

struct entry {
    struct ip_net net;
    uint64_t hour;
    uint64_t count; // 0 = free
};

struct rate {
    size_t sets;
    struct entry *entry; // sets * WAYS
};

struct rate *rate_new(size_t count)
{
    struct rate *rate = mem_new(sizeof(*rate));

    rate->sets = count / WAYS;
    rate->entry = mem_new_array(count, sizeof(*rate->entry));
    return rate;
}

void rate_free(struct rate **rate)
{
    if (*rate == NULL)
        return;
    mem_free((*rate)->entry);
    mem_free(*rate);
    *rate = NULL;
}

// FNV-1a (Fowler, Noll, Vo): only chooses a set.
static struct entry *set_of(const struct rate *rate, const struct ip_net *net)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < sizeof(net->ip.bytes); i++)
        hash = (hash ^ net->ip.bytes[i]) * 16777619U;
    return &rate->entry[hash % rate->sets * WAYS];
}

static struct entry *find(struct entry *set, const struct ip_net *net)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].count > 0 && ip_net_compare(&set[i].net, net) == 0)
            return &set[i];
    return NULL;
}

// What was counted in another hour (before, or ahead where the clock was set back) is as good as free.
static uint64_t weight(const struct entry *entry, uint64_t hour)
{
    return entry->hour == hour ? entry->count : 0;
}

static struct entry *least(struct entry *set, uint64_t hour)
{
    struct entry *found = set;

    for (size_t i = 1; i < WAYS; i++)
        if (weight(&set[i], hour) < weight(found, hour))
            found = &set[i];
    return found;
}

static void count(struct rate *rate, const struct ip_net *net, uint64_t hour)
{
    struct entry *set = set_of(rate, net);
    struct entry *entry = find(set, net);

    if (entry == NULL)
        entry = least(set, hour);
    if (entry->hour != hour || ip_net_compare(&entry->net, net) != 0)
        *entry = (struct entry){.net = *net, .hour = hour};
    entry->count++;
}

static bool has_site(const struct ip_net *net)
{
    return net->bits > RATE_SITE_BITS; // no network of IPv4 is
}

void rate_add(struct rate *rate, const struct ip_net *net, uint64_t now_ms)
{
    const struct ip_net site = ip_net_of(&net->ip, RATE_SITE_BITS);

    count(rate, net, now_ms / ABUSE_HOUR_MS);
    if (has_site(net))
        count(rate, &site, now_ms / ABUSE_HOUR_MS);
}

uint64_t rate_count(const struct rate *rate, const struct ip_net *net, uint64_t now_ms)
{
    const struct entry *entry = find(set_of(rate, net), net);

    return entry != NULL && entry->hour == now_ms / ABUSE_HOUR_MS ? entry->count : 0;
}

bool rate_is_over(const struct rate *rate, const struct ip_net *net, uint64_t now_ms, uint64_t cap)
{
    const struct ip_net site = ip_net_of(&net->ip, RATE_SITE_BITS);

    if (cap == 0)
        return false;
    return rate_count(rate, net, now_ms) >= cap ||
           (has_site(net) && rate_count(rate, &site, now_ms) >= RATE_SITE_NETS * cap);
}
