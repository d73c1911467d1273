// plan.c: what one recipient needs from the store. Promises: a recipient whose verdict no stored
// fact can change costs no command.
#include "node/core/plan.h"

static void name_triplet(const struct facts *facts, struct facts_recipient *recipient,
                         const struct policy *policy, const struct key_ring *ring,
                         const struct key_pair *pair)
{
    bool is_v4 = facts->client.family == 4;
    uint64_t bits = is_v4 ? policy->settings.greylist.net_ipv4 : policy->settings.greylist.net_ipv6;
    struct key_triplet *triplet = &recipient->triplet;

    triplet->identity[0] = (struct key_identity){.kind = KEY_ANY};
    triplet->identity[1] =
        (struct key_identity){.kind = KEY_NET, .net = ip_net_of(&facts->client, (unsigned)bits)};
    triplet->identity_count = 2;
    key_triplet_make(triplet, pair, ring, facts->now_ms, policy->settings.greylist.window_ms);
}

struct plan plan_recipient(const struct facts *facts, struct facts_recipient *recipient,
                           const struct policy *policy, const struct key_ring *ring,
                           const struct key_pair *pair)
{
    const struct chain_in in = {facts, recipient, policy};
    struct verdict scratch = {.reason = REASON_accept};
    struct text_buf nowhere;

    text_buf_init(&nowhere, NULL, 0);
    if (ring->count == 0 || (facts->stage != MSG_RCPT && facts->stage != MSG_END))
        return (struct plan){false};
    if (syntax_step(&in, &scratch, &nowhere) == OUTCOME_HIT ||
        direction_step(&in, &scratch, &nowhere) == OUTCOME_HIT)
        return (struct plan){false};
    if (!greylist_is_due(&in, scratch.direction))
        return (struct plan){false};
    name_triplet(facts, recipient, policy, ring, pair);
    return (struct plan){.passed = true};
}
