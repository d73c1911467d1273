// plan.c: what one recipient needs from the store. Promises: a recipient whose verdict no stored
// fact can change costs no command.
#include "node/core/plan.h"

#include <string.h>

#include "node/core/apply.h"

struct ip_net plan_net(const struct ip *client, const struct policy *policy)
{
    bool is_v4 = client->family == 4;
    uint64_t bits = is_v4 ? policy->settings.greylist.net_ipv4 : policy->settings.greylist.net_ipv6;

    return ip_net_of(client, (unsigned)bits);
}

static bool is_used(const struct policy *policy, enum policy_identity identity)
{
    return (policy->settings.greylist.identities >> identity & 1U) != 0;
}

static void add_domain(struct key_triplet *out, const char *domain)
{
    out->identity[out->identity_count++] =
        (struct key_identity){.kind = KEY_DOMAIN, .domain = domain};
}

void plan_identities(const struct facts *facts, const struct policy *policy,
                     struct key_triplet *out)
{
    const char *name = is_used(policy, POLICY_IDENTITY_NAME) ? facts->name : "";
    const char *spf = is_used(policy, POLICY_IDENTITY_SPF) ? facts->spf_domain : "";

    out->identity[0] = (struct key_identity){.kind = KEY_ANY};
    out->identity_count = 1;
    if (facts->client.family != 0)
        out->identity[out->identity_count++] =
            (struct key_identity){.kind = KEY_NET, .net = plan_net(&facts->client, policy)};
    if (name[0] != '\0')
        add_domain(out, name);
    if (spf[0] != '\0' && strcmp(spf, name) != 0)
        add_domain(out, spf);
    if (facts->asn != 0 && is_used(policy, POLICY_IDENTITY_ASN))
        out->identity[out->identity_count++] =
            (struct key_identity){.kind = KEY_ASN, .asn = facts->asn};
}

static bool is_ours(const struct chain_in *in)
{
    return in->recipient->domain != NULL || in->policy->domain_count == 0;
}

// What is not asked for is not there; what is is not known until it came.
static void expect(struct person_facts *person, const struct plan *plan)
{
    if (person == NULL)
        return;
    person_facts_clear(person);
    if (!plan->list)
        person->list.state = FACT_ABSENT;
    for (unsigned i = 0; i < PERSON_OWNERS && !plan->allow; i++)
        person->allow[i].state = FACT_ABSENT;
    if (!plan->row)
        person->row.state = FACT_ABSENT;
    if (!plan->answer)
        person->answer.state = person->learnt.state = FACT_ABSENT;
}

// What is kept of the recipient.
static struct plan plan_person(const struct chain_in *in, const struct verdict *so_far,
                               bool permitted)
{
    const struct facts_recipient *recipient = in->recipient;
    const struct policy_domain *domain = recipient->domain;
    const struct policy_settings *settings = &in->policy->settings;
    const bool inbound = so_far->direction == MSG_INBOUND && is_ours(in);
    const bool internal = so_far->direction == MSG_INTERNAL_MAIL;
    const bool checked = (inbound || internal) && domain != NULL &&
                         domain->recipients > POLICY_RECIPIENTS_SEND_ONLY &&
                         !recipient_is_named(in);
    const bool has_directory = domain != NULL && domain->recipients == POLICY_RECIPIENTS_DIRECTORY;

    return (struct plan){
        .list = inbound && settings->personal_lists,
        .allow = inbound && settings->auto_allow.scope != POLICY_SCOPE_OFF && !permitted &&
                 !apply_is_voided(in) && in->facts->external[0] != '\0',
        .row = checked && has_directory && recipient->directory.version != 0,
        .answer = checked && (!has_directory || domain->learn),
    };
}

struct plan plan_recipient(const struct chain_in *in, struct facts_recipient *recipient,
                           const struct chain_start *start, const struct key_ring *ring,
                           const struct key_pair *pair)
{
    const struct facts *facts = in->facts;
    struct plan plan = {false};

    expect(recipient->person, &plan);
    if ((facts->stage != MSG_RCPT && facts->stage != MSG_END) || start->decider != NULL)
        return plan;
    const bool permitted = start->verdict.direction == MSG_INBOUND && permit_admin_lets(in);

    plan = plan_person(in, &start->verdict, permitted);
    plan.dns_lists = start->verdict.direction == MSG_INBOUND && !permitted && !facts->trusted &&
                     facts->client.family != 0;
    plan.reputation =
        plan.dns_lists && in->policy->settings.reputation.mode != POLICY_REPUTATION_OFF;
    expect(recipient->person, &plan);
    if (ring->count == 0 || permitted || !greylist_is_due(in, &start->verdict))
        return plan;
    plan_identities(facts, in->policy, &recipient->triplet);
    key_triplet_make(&recipient->triplet, pair, ring, facts->now_ms,
                     in->policy->settings.greylist.window_ms);
    plan.passed = true;
    return plan;
}
