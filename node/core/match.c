// match.c: which policy of a kind applies. The patterns that sender and recipient fit are climbed down from the most
// specific; each pair of them names a bucket of policies, and in a bucket the closest source network is found
// by its prefix. Promises: a pattern that no policy of the kind names costs nothing but a bit that is tested.
#include "node/core/policy_hash.h"

#include <string.h>

enum { GROUP_RANK = POLICY_GROUP * 32, IPV4_BITS = 32, IPV6_BITS = 128 };

// ---- Climbing

// The patterns of one side that policies of a table name: the party's own, and at their rank the groups that those list
// in. A copy of it goes on by itself.
struct climb {
    const struct policy *policy;
    const struct policy_party *party;
    uint32_t bit; // 1 << table
    bool is_from;
    enum { ABOVE_GROUPS, IN_GROUPS, UNDER_GROUPS } phase;
    unsigned key;    // of the party
    uint32_t member; // of that key's groups
};

struct rung {
    uint32_t pattern;
    uint8_t rank;
    bool is_base;
};

static bool is_named(const struct climb *climb, uint32_t pattern)
{
    const struct policy_known *known = &climb->policy->known[pattern];

    return ((climb->is_from ? known->from_tables : known->to_tables) & climb->bit) != 0;
}

// The next group of the keys from here on; false at the end of all groups.
static bool next_group(struct climb *climb, struct rung *out)
{
    for (; climb->key < climb->party->count; climb->key++, climb->member = 0) {
        const struct policy_key *key = &climb->party->key[climb->key];
        const struct policy_known *known = &climb->policy->known[key->pattern];

        while (climb->member < known->group_count) {
            const struct policy_membership *in =
                &climb->policy->membership[known->first_group + climb->member++];

            if ((in->as_recipient && climb->party->role != POLICY_AS_RECIPIENT) ||
                !is_named(climb, in->pattern))
                continue;
            *out = (struct rung){in->pattern, GROUP_RANK, key->is_base};
            return true;
        }
    }
    return false;
}

// The keys below groups begin here.
static unsigned below_groups(const struct policy_party *party)
{
    unsigned at = 0;

    while (at < party->count && party->key[at].rank > GROUP_RANK)
        at++;
    return at;
}

static bool next_key(struct climb *climb, unsigned end, struct rung *out)
{
    while (climb->key < end) {
        const struct policy_key *key = &climb->party->key[climb->key++];

        if (is_named(climb, key->pattern)) {
            *out = (struct rung){key->pattern, key->rank, key->is_base};
            return true;
        }
    }
    return false;
}

// climb_next: the next pattern, never a more specific one than that before.
static bool climb_next(struct climb *climb, struct rung *out)
{
    const unsigned middle = below_groups(climb->party);

    if (climb->phase == ABOVE_GROUPS && next_key(climb, middle, out))
        return true;
    if (climb->phase == ABOVE_GROUPS) {
        climb->phase = IN_GROUPS;
        climb->key = 0;
    }
    if (climb->phase == IN_GROUPS && next_group(climb, out))
        return true;
    if (climb->phase == IN_GROUPS) {
        climb->phase = UNDER_GROUPS;
        climb->key = middle;
    }
    return next_key(climb, climb->party->count, out);
}

// climb_level: all that is as specific as what comes next: returns where it begins, and moves *climb behind it.
// False at the end.
static bool climb_level(struct climb *climb, struct climb *begin, uint8_t *rank)
{
    struct climb ahead = *climb;
    struct rung rung;

    *begin = *climb;
    if (!climb_next(&ahead, &rung))
        return false;
    *rank = rung.rank;
    do {
        *climb = ahead;
    } while (climb_next(&ahead, &rung) && rung.rank == *rank);
    return true;
}

static bool climb_in_level(struct climb *climb, uint8_t rank, struct rung *out)
{
    return climb_next(climb, out) && out->rank == rank;
}

// ---- One bucket

struct search {
    const struct policy *policy;
    const struct policy_query *query;
    enum policy_view view;
    uint32_t table;
    uint32_t level;
    bool (*visit)(const struct policy_fit *fit, void *arg);
    void *arg;
};

// A sender that is only the base of a tagged address: what restricts the base address restricts it, what lets the
// base address through says nothing of it (README.md, section 1). Mail policies and limits are about the user.
static bool takes_base(const struct policy_rule *rule)
{
    switch (rule->kind) {
    case POLICY_GEO:
    case POLICY_ANTI_SPOOF:
    case POLICY_BLOCK:
    case POLICY_GREYLIST:
        return rule->option >= POLICY_HOLD;
    case POLICY_PERMIT: // what takes a permit back restricts
        return rule->option == POLICY_NO_ACTION;
    case POLICY_SENDER:
    case POLICY_RECIPIENT:
    case POLICY_SENDER_RULE:
    case POLICY_RECIPIENT_RULE:
    case POLICY_LIMIT:
    case POLICY_KINDS:
        break;
    }
    return true;
}

static bool is_candidate(const struct search *search, const struct policy_rule *rule, bool is_base)
{
    const struct policy_query *query = search->query;

    return (search->view == POLICY_AS_IF || rule->mode == POLICY_ENFORCE) &&
           (rule->part & POLICY_ENVELOPE) != 0 && policy_is_valid(rule, query->now_ms) &&
           (!is_base || takes_base(rule)) &&
           (query->accepts == NULL || query->accepts(rule, query->arg));
}

static bool visit_range(const struct search *search, uint32_t first, uint32_t count, int bits,
                        bool is_base)
{
    for (uint32_t i = first; i < first + count; i++) {
        const struct policy_rule *rule = &search->policy->rule[search->policy->order[i]];
        const struct policy_fit fit = {rule, search->level, bits};

        if (is_candidate(search, rule, is_base) && !search->visit(&fit, search->arg))
            return false;
    }
    return true;
}

static const struct policy_place *find_place(const struct policy *policy, uint32_t bucket,
                                             const struct ip_net *net)
{
    const struct policy_slots *slots = &policy->place_slots;
    const uint64_t hash = policy_hash_place(bucket, net);

    for (uint64_t at = hash;; at++) {
        const uint64_t slot = slots->slot[at & slots->mask];
        const struct policy_place *place = &policy->place[(uint32_t)slot - 1];

        if (slot == 0)
            return NULL;
        if (slot >> 32 == hash >> 32 && place->bucket == bucket &&
            ip_net_compare(&place->net, net) == 0)
            return place;
    }
}

static bool has_length(const struct policy_bucket *bucket, const struct ip *client, unsigned bits)
{
    if (client->family == 4)
        return (bucket->bits4 >> bits & 1) != 0;
    return (bucket->bits6[bits / 64] >> bits % 64 & 1) != 0;
}

// Longest prefix first.
static bool visit_sources(const struct search *search, const struct policy_bucket *bucket,
                          bool is_base)
{
    const struct ip *client = search->query->client;
    const uint32_t number = (uint32_t)(bucket - search->policy->bucket);
    const unsigned most = client->family == 4 ? IPV4_BITS : IPV6_BITS;

    if (client->family == 0)
        return true;
    for (unsigned bits = most + 1; bits-- > 0;) {
        if (!has_length(bucket, client, bits))
            continue;
        const struct ip_net net = ip_net_of(client, bits);
        const struct policy_place *place = find_place(search->policy, number, &net);

        if (place != NULL && !visit_range(search, place->first, place->count, (int)bits, is_base))
            return false;
    }
    return true;
}

static const struct policy_bucket *find_bucket(const struct policy *policy, uint32_t table,
                                               uint32_t from, uint32_t to)
{
    const struct policy_slots *slots = &policy->bucket_slots;
    const uint64_t hash = policy_hash_bucket(table, from, to);

    for (uint64_t at = hash;; at++) {
        const uint64_t slot = slots->slot[at & slots->mask];
        const struct policy_bucket *bucket = &policy->bucket[(uint32_t)slot - 1];

        if (slot == 0)
            return NULL;
        if (slot >> 32 == hash >> 32 && bucket->table == table && bucket->from == from &&
            bucket->to == to)
            return bucket;
    }
}

static bool visit_pair(const struct search *search, const struct rung *from, const struct rung *to)
{
    const struct policy_bucket *bucket =
        find_bucket(search->policy, search->table, from->pattern, to->pattern);
    const bool is_base = from->is_base || to->is_base;

    return bucket == NULL || (visit_sources(search, bucket, is_base) &&
                              visit_range(search, bucket->first, bucket->count, -1, is_base));
}

// ---- All of them, level by level

static bool visit_level(const struct search *search, struct climb from, uint8_t from_rank,
                        const struct climb *to_begin, uint8_t to_rank)
{
    struct rung from_rung;
    struct rung to_rung;

    while (climb_in_level(&from, from_rank, &from_rung)) {
        struct climb to = *to_begin;

        while (climb_in_level(&to, to_rank, &to_rung))
            if (!visit_pair(search, &from_rung, &to_rung))
                return false;
    }
    return true;
}

static bool visit_table(struct search *search)
{
    const uint32_t bit = 1U << search->table;
    struct climb from = {
        .policy = search->policy, .party = search->query->from, .bit = bit, .is_from = true};
    struct climb from_begin;
    uint8_t from_rank;

    while (climb_level(&from, &from_begin, &from_rank)) {
        struct climb to = {.policy = search->policy, .party = search->query->to, .bit = bit};
        struct climb to_begin;
        uint8_t to_rank;

        while (climb_level(&to, &to_begin, &to_rank)) {
            search->level = (search->table & 1U ? 0 : 1U << 16) |
                            (uint32_t)(UINT8_MAX - from_rank) << 8 |
                            (uint32_t)(UINT8_MAX - to_rank);
            if (!visit_level(search, from_begin, from_rank, &to_begin, to_rank))
                return false;
        }
    }
    return true;
}

void policy_each(const struct policy *policy, enum policy_kind kind,
                 const struct policy_query *query, enum policy_view view,
                 bool (*visit)(const struct policy_fit *fit, void *arg), void *arg)
{
    struct search search = {
        .policy = policy, .query = query, .view = view, .visit = visit, .arg = arg};

    for (unsigned override = 2; override-- > 0;) {
        search.table = policy_table(kind, override != 0);
        if ((policy->tables >> search.table & 1U) != 0 && !visit_table(&search))
            return;
    }
}

// ---- The one that applies

static bool is_better(const struct policy_fit *a, const struct policy_fit *b)
{
    if (a->source_bits != b->source_bits)
        return a->source_bits > b->source_bits;
    if (a->rule->option != b->rule->option)
        return a->rule->option > b->rule->option;
    return a->rule < b->rule; // sorted by id
}

static bool keep_best(const struct policy_fit *fit, void *arg)
{
    struct policy_fit *best = arg;

    if (best->rule != NULL && fit->level != best->level)
        return false;
    if (best->rule == NULL || is_better(fit, best))
        *best = *fit;
    return true;
}

const struct policy_rule *policy_match(const struct policy *policy, enum policy_kind kind,
                                       const struct policy_query *query, enum policy_view view)
{
    struct policy_fit best = {0};

    policy_each(policy, kind, query, view, keep_best, &best);
    return best.rule;
}
