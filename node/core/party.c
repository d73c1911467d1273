// party.c: who an address is to the policy set: the numbers of all patterns that it fits, most specific first. What
// the set does not name costs one probe of a table.
#include "node/core/policy_hash.h"

#include <stdlib.h>
#include <string.h>

// Of the kinds, and between everyone and a domain one for each depth.
enum { RANK_EVERYONE = 1, RANK_PARTY = 2, RANK_BELOW = 3, RANK_STEP = 32 };
_Static_assert(POLICY_GROUP_RANK == RANK_STEP * POLICY_GROUP, "it is what policy_rank says");

uint8_t policy_rank(const struct policy_pattern *pattern)
{
    unsigned rank = (unsigned)pattern->kind * RANK_STEP;

    switch (pattern->kind) {
    case POLICY_EVERYONE:
        return RANK_EVERYONE;
    case POLICY_PARTY:
        return RANK_PARTY;
    case POLICY_BELOW:
        rank = RANK_BELOW;
        for (const char *dot = pattern->domain; (dot = strchr(dot, '.')) != NULL; dot++)
            rank++;
        return (uint8_t)rank;
    case POLICY_NULL:
        return (uint8_t)(POLICY_ADDRESS * RANK_STEP);
    case POLICY_DOMAIN:
    case POLICY_GROUP:
    case POLICY_LOCAL:
    case POLICY_ADDRESS:
        break;
    }
    return (uint8_t)rank;
}

// A party while it is made.
struct finding {
    const struct policy *policy;
    struct policy_party *party;
};

static void add_number(const struct finding *f, uint32_t number, bool is_base)
{
    struct policy_party *party = f->party;
    const struct policy_known *known = &f->policy->known[number];
    const bool is_sender = party->role == POLICY_AS_SENDER;
    const struct policy_key key = {
        .pattern = number,
        .rank = policy_rank(&known->pattern),
        .is_base = is_base,
        .tables = is_sender ? known->from_tables : known->to_tables,
        .groups = is_sender ? known->from_groups : known->to_groups,
    };
    unsigned at = party->count;

    if (party->count == POLICY_PARTY_KEYS_MAX) // more than the builder lets a set name
        return;
    for (unsigned i = 0; i < party->count; i++)
        if (party->key[i].pattern == number)
            return;
    for (; at > 0 && party->key[at - 1].rank < key.rank; at--)
        party->key[at] = party->key[at - 1];
    party->key[at] = key;
    party->count++;
    if (key.rank > POLICY_GROUP_RANK)
        party->above++;
    party->tables |= key.tables;
    party->groups |= key.groups;
}

static uint32_t probe(const struct finding *f, enum policy_pattern_kind kind, const char *local,
                      const char *domain, uint64_t hash)
{
    const struct policy_pattern pattern = {.kind = kind, .local = local, .domain = domain};

    if ((f->policy->known_kinds & 1U << kind) == 0)
        return POLICY_NOBODY;
    return policy_find_hashed(f->policy, &pattern, policy_hash_end(hash, kind, false));
}

static void add_if_known(const struct finding *f, enum policy_pattern_kind kind, const char *local,
                         const char *domain, uint64_t hash, bool is_base)
{
    uint32_t number = probe(f, kind, local, domain, hash);

    if (number != POLICY_NOBODY)
        add_number(f, number, is_base);
}

static void add_plain(const struct finding *f, enum policy_pattern_kind kind, bool internal)
{
    const struct policy_pattern pattern = {kind, internal, "", ""};
    uint32_t number;

    if ((f->policy->known_kinds & 1U << kind) == 0)
        return;
    number =
        policy_find_hashed(f->policy, &pattern, policy_hash_end(POLICY_HASH_SEED, kind, internal));
    if (number != POLICY_NOBODY)
        add_number(f, number, false);
}

// What the domain lies below, and the domain itself: returns its hash.
static uint64_t add_domains(const struct finding *f, const char *domain)
{
    const char *end = domain + strlen(domain);
    const char *at = end;
    uint64_t hash = POLICY_HASH_SEED;

    while (at > domain) {
        const char *dot = at - 1;

        while (dot > domain && *dot != '.')
            dot--;
        if (*dot == '.') {
            hash = policy_hash_back(hash, dot + 1, (size_t)(at - dot - 1));
            add_if_known(f, POLICY_BELOW, "", dot + 1, hash, false);
            hash = policy_hash_back(hash, ".", 1);
        } else {
            hash = policy_hash_back(hash, dot, (size_t)(at - dot));
        }
        at = dot;
    }
    add_if_known(f, POLICY_DOMAIN, "", domain, hash, false);
    return hash;
}

// The address with this local part: returns its number.
static uint32_t add_mailbox(const struct finding *f, const char *local, const char *domain,
                            uint64_t domain_hash, bool is_base)
{
    const size_t len = strlen(local);
    const uint64_t hash = policy_hash_back(policy_hash_back(domain_hash, "@", 1), local, len);
    const uint32_t number = probe(f, POLICY_ADDRESS, local, domain, hash);

    if (number != POLICY_NOBODY)
        add_number(f, number, is_base);
    add_if_known(f, POLICY_LOCAL, local, "",
                 policy_hash_back(policy_hash_back(POLICY_HASH_SEED, "@", 1), local, len), is_base);
    return number;
}

// An alias is its user's mailbox as well. What an address is as it is written comes before what it is without its tag.
static void add_user(const struct finding *f, uint32_t address, bool is_base)
{
    const uint32_t user = address != POLICY_NOBODY ? f->policy->known[address].user : POLICY_NOBODY;

    if (user == POLICY_NOBODY)
        return;
    if (f->party->user == POLICY_NOBODY)
        f->party->user = user;
    add_number(f, f->policy->user[user].mailbox, is_base);
}

static void add_address(const struct finding *f, const struct mail_address *address)
{
    const bool is_sender = f->party->role == POLICY_AS_SENDER;
    const char *local = is_sender ? address->local : address->base;
    const uint64_t domain_hash = add_domains(f, address->domain);

    add_user(f, add_mailbox(f, local, address->domain, domain_hash, false), false);
    if (is_sender && strcmp(address->local, address->base) != 0)
        add_user(f, add_mailbox(f, address->base, address->domain, domain_hash, true), true);
}

void policy_party_of(const struct policy *policy, const struct mail_address *address,
                     enum policy_role role, struct policy_party *out)
{
    const struct finding finding = {policy, out};

    *out = (struct policy_party){.role = role, .user = POLICY_NOBODY};
    add_plain(&finding, POLICY_EVERYONE, false);
    if (address->null) {
        add_plain(&finding, POLICY_NULL, false);
        return;
    }
    if (address->flaw != MAIL_OK || address->domain[0] == '\0')
        return;
    out->internal = policy_is_internal(policy, address->domain);
    if (policy->known_count == 0)
        return;
    add_plain(&finding, POLICY_PARTY, out->internal);
    add_address(&finding, address);
}

// ---- Groups

static bool is_member(const struct policy *policy, const struct policy_known *known,
                      uint32_t group_pattern, enum policy_role role)
{
    const struct policy_membership *membership = policy->membership + known->first_group;
    uint32_t low = 0;
    uint32_t high = known->group_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (membership[middle].pattern < group_pattern)
            low = middle + 1;
        else
            high = middle;
    }
    return low < known->group_count && membership[low].pattern == group_pattern &&
           (!membership[low].as_recipient || role == POLICY_AS_RECIPIENT);
}

bool policy_party_fits(const struct policy *policy, const struct policy_party *party,
                       uint32_t pattern)
{
    for (unsigned i = 0; i < party->count; i++) {
        if (party->key[i].pattern == pattern ||
            is_member(policy, &policy->known[party->key[i].pattern], pattern, party->role))
            return true;
    }
    return false;
}

const struct policy_user *policy_user_of(const struct policy *policy,
                                         const struct policy_party *party)
{
    return party->count > 0 && party->user != POLICY_NOBODY ? &policy->user[party->user] : NULL;
}
