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

// Below how many domains a name can lie that a set can name, the domain itself, and address and user@* of two spellings; beside
// everyone, and internal, external or the null sender.
enum { CANDIDATES_MAX = POLICY_BELOW_LABELS_MAX + 7 };

// A pattern that the address fits, if the set names it.
struct candidate {
    struct policy_pattern pattern;
    uint64_t hash;
    bool is_base;
};

// A party while it is made: first all candidates, whose places in the table are on their way into the cache meanwhile, then
// those that the set names. In a set of a million patterns no place is in the cache, and waiting for them one after
// the other is what an address would cost.
struct finding {
    const struct policy *policy;
    struct policy_party *party;
    unsigned count;
    struct candidate candidate[CANDIDATES_MAX];
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

// ---- Candidates

static void note(struct finding *f, const struct policy_pattern *pattern, uint64_t hash,
                 bool is_base)
{
    const struct policy_slots *slots = &f->policy->known_slots;
    const uint64_t whole = policy_hash_end(hash, pattern->kind, pattern->internal);

    if ((f->policy->known_kinds & 1U << pattern->kind) == 0 || f->count == CANDIDATES_MAX)
        return;
    __builtin_prefetch(&slots->slot[whole & slots->mask]);
    f->candidate[f->count++] = (struct candidate){*pattern, whole, is_base};
}

static void note_plain(struct finding *f, enum policy_pattern_kind kind, bool internal)
{
    note(f, &(struct policy_pattern){kind, internal, "", ""}, POLICY_HASH_SEED, false);
}

static void note_domain(struct finding *f, enum policy_pattern_kind kind, const char *domain,
                        uint64_t hash)
{
    note(f, &(struct policy_pattern){kind, false, "", domain}, hash, false);
}

// What the domain lies below, the most general first, and the domain itself: returns its hash.
static uint64_t note_domains(struct finding *f, const char *domain)
{
    const char *at = domain + strlen(domain);
    uint64_t hash = POLICY_HASH_SEED;
    unsigned labels = 0;

    while (at > domain) {
        const char *dot = at - 1;

        while (dot > domain && *dot != '.')
            dot--;
        if (*dot == '.') {
            hash = policy_hash_back(hash, dot + 1, (size_t)(at - dot - 1));
            if (++labels <= POLICY_BELOW_LABELS_MAX)
                note_domain(f, POLICY_BELOW, dot + 1, hash);
            hash = policy_hash_back(hash, ".", 1);
        } else {
            hash = policy_hash_back(hash, dot, (size_t)(at - dot));
        }
        at = dot;
    }
    note_domain(f, POLICY_DOMAIN, domain, hash);
    return hash;
}

// The address with this local part, and the user of any domain.
static void note_mailbox(struct finding *f, const char *local, const char *domain,
                         uint64_t domain_hash, bool is_base)
{
    const size_t len = strlen(local);
    const uint64_t in_domain = policy_hash_back(domain_hash, "@", 1);
    const uint64_t anywhere = policy_hash_back(POLICY_HASH_SEED, "@", 1);

    note(f, &(struct policy_pattern){POLICY_ADDRESS, false, local, domain},
         policy_hash_back(in_domain, local, len), is_base);
    note(f, &(struct policy_pattern){POLICY_LOCAL, false, local, ""},
         policy_hash_back(anywhere, local, len), is_base);
}

// As it is written before what it is without its tag.
static void note_address(struct finding *f, const struct mail_address *address)
{
    const bool is_sender = f->party->role == POLICY_AS_SENDER;
    const char *local = is_sender ? address->local : address->base;
    const uint64_t domain_hash = note_domains(f, address->domain);

    note_mailbox(f, local, address->domain, domain_hash, false);
    if (is_sender && strcmp(address->local, address->base) != 0)
        note_mailbox(f, address->base, address->domain, domain_hash, true);
}

// ---- Those that are named

// An alias is its user's mailbox as well.
static void add_user(const struct finding *f, uint32_t address, bool is_base)
{
    const uint32_t user = f->policy->known[address].user;

    if (user == POLICY_NOBODY)
        return;
    if (f->party->user == POLICY_NOBODY)
        f->party->user = user;
    add_number(f, f->policy->user[user].mailbox, is_base);
}

static void add_named(const struct finding *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        const struct candidate *candidate = &f->candidate[i];
        const uint32_t number = policy_find_hashed(f->policy, &candidate->pattern, candidate->hash);

        if (number == POLICY_NOBODY)
            continue;
        add_number(f, number, candidate->is_base);
        if (candidate->pattern.kind == POLICY_ADDRESS)
            add_user(f, number, candidate->is_base);
    }
}

static void note_all(struct finding *f, const struct mail_address *address)
{
    note_plain(f, POLICY_EVERYONE, false);
    if (address->null)
        note_plain(f, POLICY_NULL, false);
    if (address->null || address->flaw != MAIL_OK || address->domain[0] == '\0')
        return;
    f->party->internal = policy_is_internal(f->policy, address->domain);
    if (f->policy->known_count == 0)
        return;
    note_plain(f, POLICY_PARTY, f->party->internal);
    note_address(f, address);
}

void policy_party_of(const struct policy *policy, const struct mail_address *address,
                     enum policy_role role, struct policy_party *out)
{
    struct finding finding;

    finding.policy = policy;
    finding.party = out;
    finding.count = 0;
    *out = (struct policy_party){.role = role, .user = POLICY_NOBODY};
    note_all(&finding, address);
    add_named(&finding);
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
