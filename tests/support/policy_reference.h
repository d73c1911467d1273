// policy_reference.h: which policy applies, as the specification says it (node/core/README.md, "Policies" and section 1):
// a linear scan over what the owner wrote, with nothing prepared. Slow, and of another kind than the compiled tables, so that
// the two agree only where both are right.
#pragma once

#include "tests/support/policy_written.h"

enum reference_role { REFERENCE_SENDER, REFERENCE_RECIPIENT };

// An address with the role in which it is asked about. without_tag: an entry that blocks is asked, which also fits
// the base address of a tagged sender.
struct reference_party {
    const struct written_set *set;
    const struct written_address *address;
    enum reference_role role;
    bool without_tag;
};

static inline bool reference_is_internal(const struct written_set *set, const char *domain)
{
    for (unsigned i = 0; i < set->domain_count; i++)
        if (strcmp(set->domain[i], domain) == 0)
            return true;
    return false;
}

// A local part with its tag, as it may be compared: a recipient has no tag.
static inline bool reference_local_is(const struct reference_party *party, const char *local)
{
    const struct written_address *address = party->address;
    char tagged[64];

    if (strcmp(address->local, local) == 0)
        return address->tag[0] == '\0' || party->role == REFERENCE_RECIPIENT || party->without_tag;
    (void)snprintf(tagged, sizeof(tagged), "%s+%s", address->local, address->tag);
    return address->tag[0] != '\0' && party->role == REFERENCE_SENDER && strcmp(tagged, local) == 0;
}

// The user whose alias the address is, or NULL. An alias with a tag is the mailbox with a tag.
static inline const struct written_user *reference_user(const struct reference_party *party)
{
    for (unsigned i = 0; i < party->set->user_count; i++) {
        const struct written_user *user = &party->set->user[i];

        if (user->alias_local != NULL && reference_local_is(party, user->alias_local) &&
            strcmp(party->address->domain, user->alias_domain) == 0)
            return user;
    }
    return NULL;
}

static inline bool reference_is_below(const char *domain, const char *parent)
{
    const char *dot = strchr(domain, '.');

    while (dot != NULL && strcmp(dot + 1, parent) != 0)
        dot = strchr(dot + 1, '.');
    return dot != NULL;
}

static inline bool reference_fits(const struct reference_party *party,
                                  const struct written_pattern *pattern);

// In the group, or in a group that is in it. seen: groups that were looked into.
static inline bool reference_in_group(const struct reference_party *party, unsigned number,
                                      unsigned *seen)
{
    const struct written_group *group = &party->set->group[number];
    const struct written_address *address = party->address;

    if ((*seen & 1U << number) != 0)
        return false;
    *seen |= 1U << number;
    if (party->role == REFERENCE_RECIPIENT && group->address_local != NULL &&
        address->is == WRITTEN_PLAIN && strcmp(address->local, group->address_local) == 0 &&
        strcmp(address->domain, group->address_domain) == 0)
        return true;
    for (unsigned i = 0; i < group->member_count; i++) {
        const struct written_pattern *member = &group->member[i];
        bool fits = member->kind == WRITTEN_GROUP ? reference_in_group(party, member->group, seen)
                                                  : reference_fits(party, member);

        if (fits)
            return true;
    }
    return false;
}

static inline bool reference_is_address(const struct reference_party *party,
                                        const struct written_pattern *pattern)
{
    const struct written_user *user = reference_user(party);

    if (user != NULL && strcmp(user->local, pattern->local) == 0 &&
        strcmp(user->domain, pattern->domain) == 0)
        return true;
    return reference_local_is(party, pattern->local) &&
           strcmp(party->address->domain, pattern->domain) == 0;
}

static inline bool reference_fits(const struct reference_party *party,
                                  const struct written_pattern *pattern)
{
    const struct written_address *address = party->address;
    unsigned seen = 0;

    if (pattern->kind == WRITTEN_EVERYONE)
        return true;
    if (pattern->kind == WRITTEN_GROUP)
        return reference_in_group(party, pattern->group, &seen);
    if (pattern->kind == WRITTEN_NULL)
        return address->is == WRITTEN_NOBODY;
    if (address->is != WRITTEN_PLAIN)
        return false;
    switch (pattern->kind) {
    case WRITTEN_INTERNAL:
        return reference_is_internal(party->set, address->domain);
    case WRITTEN_EXTERNAL:
        return !reference_is_internal(party->set, address->domain);
    case WRITTEN_BELOW:
        return reference_is_below(address->domain, pattern->domain);
    case WRITTEN_DOMAIN:
        return strcmp(address->domain, pattern->domain) == 0;
    case WRITTEN_LOCAL:
        return reference_local_is(party, pattern->local);
    case WRITTEN_ADDRESS:
        return reference_is_address(party, pattern);
    case WRITTEN_EVERYONE:
    case WRITTEN_GROUP:
    case WRITTEN_NULL:
        break;
    }
    return false;
}

static inline int reference_rank(const struct written_pattern *pattern)
{
    int depth = 0;

    if (pattern->kind == WRITTEN_BELOW)
        for (const char *dot = pattern->domain; dot != NULL; dot = strchr(dot + 1, '.'))
            depth++;
    return (pattern->kind == WRITTEN_EXTERNAL ? WRITTEN_INTERNAL : (int)pattern->kind) * 100 +
           depth;
}

static inline bool reference_contains(const struct written_net *net,
                                      const struct written_mail *mail)
{
    if (net->family != mail->family)
        return false;
    for (unsigned bit = 0; bit < net->bits; bit++)
        if ((net->bytes[bit / 8] ^ mail->bytes[bit / 8]) & 0x80U >> bit % 8)
            return false;
    return true;
}

// Bits of the closest network of the policy that the client is in; -1: it asks for none; -2: it is in none of them.
static inline int reference_source(const struct written_policy *policy,
                                   const struct written_mail *mail)
{
    int closest = policy->source_count == 0 ? -1 : -2;

    for (unsigned i = 0; i < policy->source_count; i++)
        if (reference_contains(policy->source[i], mail) && (int)policy->source[i]->bits > closest)
            closest = (int)policy->source[i]->bits;
    return closest;
}

static inline bool reference_is_valid(const struct written_policy *policy, uint64_t now_ms)
{
    return policy->enabled &&
           (policy->from_day == 0 || now_ms >= written_days[policy->from_day - 1].at_ms) &&
           (policy->until_day == 0 || now_ms < written_days[policy->until_day - 1].at_ms);
}

// How well a policy fits: compared from the first to the last; the id is compared after them.
struct reference_level {
    int value[5]; // override, from, to, source, how restrictive
};

static inline int reference_compare(const struct reference_level *a,
                                    const struct reference_level *b)
{
    for (int i = 0; i < 5; i++)
        if (a->value[i] != b->value[i])
            return a->value[i] > b->value[i] ? 1 : -1;
    return 0;
}

static inline bool reference_fits_mail(const struct written_set *set,
                                       const struct written_policy *policy,
                                       const struct written_mail *mail, bool is_exchanged,
                                       struct reference_level *out)
{
    bool without_tag = !policy->option->lets_through;
    const struct reference_party from = {set, &mail->from, REFERENCE_SENDER, without_tag};
    const struct reference_party to = {set, &mail->to, REFERENCE_RECIPIENT, without_tag};
    const struct written_pattern *sender = is_exchanged ? &policy->to : &policy->from;
    const struct written_pattern *recipient = is_exchanged ? &policy->from : &policy->to;

    *out = (struct reference_level){{policy->override, reference_rank(sender),
                                     reference_rank(recipient), reference_source(policy, mail),
                                     policy->option->restricts}};
    return reference_is_valid(policy, mail->now_ms) && out->value[3] != -2 &&
           reference_fits(&from, sender) && reference_fits(&to, recipient);
}

// reference_match: the one policy of the kind that applies, or NULL. in_shadow: those in shadow as well.
static inline const struct written_policy *reference_match(const struct written_set *set,
                                                           const struct written_kind_row *kind,
                                                           const struct written_mail *mail,
                                                           bool in_shadow)
{
    const struct written_policy *best = NULL;
    struct reference_level best_level = {{0}};

    for (unsigned i = 0; i < set->policy_count; i++) {
        const struct written_policy *policy = &set->policy[i];

        if (policy->kind != kind || (policy->shadow && !in_shadow))
            continue;
        for (int exchanged = 0; exchanged <= policy->bidirectional; exchanged++) {
            struct reference_level level;
            int order;

            if (!reference_fits_mail(set, policy, mail, exchanged == 1, &level))
                continue;
            order = best == NULL ? 1 : reference_compare(&level, &best_level);
            if (order > 0 || (order == 0 && strcmp(policy->id, best->id) < 0)) {
                best = policy;
                best_level = level;
            }
        }
    }
    return best;
}
