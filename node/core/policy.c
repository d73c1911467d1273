// policy.c: readers of the compiled policy set that ask for one thing: a domain, a network, a number. Pure: tables
// in, answers out. Who somebody is stands in party.c, which policy applies in match.c.
#include "node/core/policy_hash.h"

#include <stdlib.h>
#include <string.h>

// ---- Domains and networks

static int compare_domain(const void *key, const void *element)
{
    const struct policy_domain *domain = element;

    return strcmp(key, domain->name);
}

const struct policy_domain *policy_domain_of(const struct policy *policy, const char *domain)
{
    if (domain[0] == '\0' || policy->domain_count == 0)
        return NULL;
    return bsearch(domain, policy->domain, policy->domain_count, sizeof(*policy->domain),
                   compare_domain);
}

bool policy_is_internal(const struct policy *policy, const char *domain)
{
    return policy_domain_of(policy, domain) != NULL;
}

const struct policy_domain *policy_domain_over(const struct policy *policy, const char *domain)
{
    const struct policy_domain *found = policy_domain_of(policy, domain);

    while (found == NULL && (domain = strchr(domain, '.')) != NULL)
        found = policy_domain_of(policy, ++domain);
    return found;
}

// Sorted networks of which none lies inside another stand in the order of their addresses, so only
// the last one that begins at or before an address can hold it.
bool policy_is_trusted_ip(const struct policy *policy, const struct ip *ip)
{
    struct ip_net host = ip_net_of(ip, 128);
    size_t low = 0;
    size_t high = policy->trusted_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ip_net_compare(&policy->trusted[middle], &host) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && ip_net_contains(&policy->trusted[low - 1], ip);
}

// ---- Hashes

uint64_t policy_hash_bucket(uint32_t table, uint32_t from, uint32_t to)
{
    return policy_hash_mix(((uint64_t)from << 32 | to) ^ policy_hash_mix(table + 1ULL));
}

uint64_t policy_hash_place(uint32_t bucket, const struct ip_net *net)
{
    uint64_t hash =
        policy_hash_mix((uint64_t)bucket << 16 | (uint64_t)net->ip.family << 8 | net->bits);

    for (size_t i = 0; i < sizeof(net->ip.bytes); i += sizeof(uint64_t)) {
        uint64_t part;

        memcpy(&part, net->ip.bytes + i, sizeof(part));
        hash = policy_hash_mix(hash ^ part);
    }
    return hash;
}

uint64_t policy_hash_pattern(enum policy_pattern_kind kind, bool internal, const char *local,
                             const char *domain)
{
    uint64_t hash = policy_hash_back(POLICY_HASH_SEED, domain, strlen(domain));

    if (local[0] != '\0')
        hash = policy_hash_back(policy_hash_back(hash, "@", 1), local, strlen(local));
    return policy_hash_end(hash, kind, internal);
}

// ---- Numbers

static bool is_same(const struct policy_pattern *a, const struct policy_pattern *b)
{
    return a->kind == b->kind && a->internal == b->internal && strcmp(a->local, b->local) == 0 &&
           strcmp(a->domain, b->domain) == 0;
}

uint32_t policy_find_hashed(const struct policy *policy, const struct policy_pattern *pattern,
                            uint64_t hash)
{
    const struct policy_slots *slots = &policy->known_slots;

    if (slots->slot == NULL)
        return POLICY_NOBODY;
    for (uint64_t at = hash;; at++) {
        const uint64_t slot = slots->slot[at & slots->mask];
        const uint32_t number = (uint32_t)slot - 1;

        if (slot == 0)
            return POLICY_NOBODY;
        if (slot >> 32 == hash >> 32 && is_same(&policy->known[number].pattern, pattern))
            return number;
    }
}

uint32_t policy_find(const struct policy *policy, const struct policy_pattern *pattern)
{
    return policy_find_hashed(
        policy, pattern,
        policy_hash_pattern(pattern->kind, pattern->internal, pattern->local, pattern->domain));
}

// ---- One policy

bool policy_is_valid(const struct policy_rule *rule, uint64_t now_ms)
{
    return rule->enabled && now_ms >= rule->valid_from_ms &&
           (rule->valid_until_ms == 0 || now_ms < rule->valid_until_ms);
}

int policy_source_fits(const struct ip_net *source, size_t count, const struct ip *client)
{
    int fit = -1;

    for (size_t i = 0; i < count; i++) {
        if (source[i].bits > fit && ip_net_contains(&source[i], client))
            fit = source[i].bits;
    }
    return fit;
}
