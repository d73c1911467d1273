// plan.c: what one recipient needs from the store. Promises: a recipient whose verdict no stored
// fact can change costs no command.
#include "node/core/plan.h"

#include <string.h>

struct ip_net plan_net(const struct ip *client, const struct policy *policy)
{
    bool is_v4 = client->family == 4;
    uint64_t bits = is_v4 ? policy->settings.greylist.net_ipv4 : policy->settings.greylist.net_ipv6;

    return ip_net_of(client, (unsigned)bits);
}

static void add_domain(struct key_triplet *out, const char *domain)
{
    out->identity[out->identity_count++] =
        (struct key_identity){.kind = KEY_DOMAIN, .domain = domain};
}

void plan_identities(const struct facts *facts, const struct policy *policy,
                     struct key_triplet *out)
{
    out->identity[0] = (struct key_identity){.kind = KEY_ANY};
    out->identity_count = 1;
    if (facts->client.family != 0)
        out->identity[out->identity_count++] =
            (struct key_identity){.kind = KEY_NET, .net = plan_net(&facts->client, policy)};
    if (facts->name[0] != '\0')
        add_domain(out, facts->name);
    if (facts->spf_domain[0] != '\0' && strcmp(facts->spf_domain, facts->name) != 0)
        add_domain(out, facts->spf_domain);
}

struct plan plan_recipient(const struct chain_in *in, struct facts_recipient *recipient,
                           const struct chain_start *start, const struct key_ring *ring,
                           const struct key_pair *pair)
{
    const struct facts *facts = in->facts;

    if (ring->count == 0 || (facts->stage != MSG_RCPT && facts->stage != MSG_END))
        return (struct plan){false};
    if (start->decider != NULL || !greylist_is_due(in, &start->verdict))
        return (struct plan){false};
    plan_identities(facts, in->policy, &recipient->triplet);
    key_triplet_make(&recipient->triplet, pair, ring, facts->now_ms,
                     in->policy->settings.greylist.window_ms);
    return (struct plan){.passed = true};
}
