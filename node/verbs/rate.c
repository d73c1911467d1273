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

static struct entry *least(struct entry *set)
{
    struct entry *found = set;

    for (size_t i = 1; i < WAYS; i++)
        if (set[i].hour < found->hour ||
            (set[i].hour == found->hour && set[i].count < found->count))
            found = &set[i];
    return found;
}

void rate_add(struct rate *rate, const struct ip_net *net, uint64_t now_ms)
{
    uint64_t hour = now_ms / ABUSE_HOUR_MS;
    struct entry *set = set_of(rate, net);
    struct entry *entry = find(set, net);

    if (entry == NULL)
        entry = least(set);
    if (entry->hour != hour || ip_net_compare(&entry->net, net) != 0)
        *entry = (struct entry){.net = *net, .hour = hour};
    entry->count++;
}

uint64_t rate_count(const struct rate *rate, const struct ip_net *net, uint64_t now_ms)
{
    const struct entry *entry = find(set_of(rate, net), net);

    return entry != NULL && entry->hour == now_ms / ABUSE_HOUR_MS ? entry->count : 0;
}
