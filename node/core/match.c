// match.c: which policy of a kind applies. The patterns that sender and recipient fit are gone through from the most
// specific on; each pair of them names a bucket of policies, and in a bucket the closest source network is found
// by its prefix. Promises: a table in which policies name nothing that sender and recipient fit costs two bits that are
// tested.
#include "node/core/policy_hash.h"

#include <string.h>

enum { IPV6_WORDS = 3 }; // of the lengths of a bucket's IPv6 networks

// What is looked for, and who wants to see it.
struct search {
    const struct policy *policy;
    const struct policy_query *query;
    enum policy_view view;
    uint32_t table;
    uint32_t level;
    bool (*visit)(const struct policy_fit *fit, void *arg);
    void *arg;
};

// ---- Levels

// The keys of one side that are equally specific and that policies of a table name: of key[first] to key[end - 1] those whose
// bit is set; or all groups that keys list in, which stand at one level.
struct level {
    uint8_t rank;
    bool is_groups;
    uint8_t first, end;
};

struct side {
    const struct policy *policy;
    const struct policy_party *party;
    uint32_t bit; // 1 << table
    unsigned count;
    struct level level[POLICY_PARTY_KEYS_MAX + 1]; // most specific first
};

static void add_groups(struct side *side)
{
    side->level[side->count++] =
        (struct level){.rank = POLICY_GROUP_RANK, .is_groups = true, .end = side->party->count};
}

static void add_key(struct side *side, unsigned at)
{
    const uint8_t rank = side->party->key[at].rank;

    if (side->count > 0 && side->level[side->count - 1].rank == rank)
        side->level[side->count - 1].end = (uint8_t)(at + 1);
    else
        side->level[side->count++] =
            (struct level){.rank = rank, .first = (uint8_t)at, .end = (uint8_t)(at + 1)};
}

static void find_levels(struct side *side, const struct search *search,
                        const struct policy_party *party)
{
    const bool has_groups = (party->groups & 1U << search->table) != 0;

    side->policy = search->policy;
    side->party = party;
    side->bit = 1U << search->table;
    side->count = 0;
    for (unsigned i = 0; i < party->count; i++) {
        if (has_groups && i == party->above)
            add_groups(side);
        if ((party->key[i].tables & side->bit) != 0)
            add_key(side, i);
    }
    if (has_groups && party->above == party->count)
        add_groups(side);
}

// The patterns of one level, one after the other.
struct walk {
    const struct side *side;
    const struct level *level;
    unsigned key;
    uint32_t member; // of that key's groups
};

struct rung {
    uint32_t pattern;
    bool is_base;
};

static bool is_named_group(const struct side *side, const struct policy_membership *in)
{
    const struct policy_known *group = &side->policy->known[in->pattern];
    const bool is_sender = side->party->role == POLICY_AS_SENDER;

    return ((is_sender ? group->from_tables : group->to_tables) & side->bit) != 0 &&
           !(is_sender && in->as_recipient);
}

static bool next_group(struct walk *walk, struct rung *out)
{
    const struct side *side = walk->side;

    for (; walk->key < walk->level->end; walk->key++, walk->member = 0) {
        const struct policy_key *key = &side->party->key[walk->key];
        const struct policy_known *known = &side->policy->known[key->pattern];

        while ((key->groups & side->bit) != 0 && walk->member < known->group_count) {
            const struct policy_membership *in =
                &side->policy->membership[known->first_group + walk->member++];

            if (!is_named_group(side, in))
                continue;
            *out = (struct rung){in->pattern, key->is_base};
            return true;
        }
    }
    return false;
}

static bool next_rung(struct walk *walk, struct rung *out)
{
    if (walk->level->is_groups)
        return next_group(walk, out);
    while (walk->key < walk->level->end) {
        const struct policy_key *key = &walk->side->party->key[walk->key++];

        if ((key->tables & walk->side->bit) == 0)
            continue;
        *out = (struct rung){key->pattern, key->is_base};
        return true;
    }
    return false;
}

// ---- One bucket

bool policy_takes_base(const struct policy_rule *rule)
{
    switch (rule->kind) {
    case POLICY_GEO:
    case POLICY_ANTI_SPOOF:
    case POLICY_BLOCK:
    case POLICY_GREYLIST:
    case POLICY_AUTO_ALLOW:
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
           (!is_base || policy_takes_base(rule)) &&
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

static bool visit_place(const struct search *search, const struct policy_bucket *bucket,
                        unsigned bits, bool is_base)
{
    const struct ip_net net = ip_net_of(search->query->client, bits);
    const struct policy_place *place =
        find_place(search->policy, (uint32_t)(bucket - search->policy->bucket), &net);

    return place == NULL || visit_range(search, place->first, place->count, (int)bits, is_base);
}

// Longest prefix first, of those lengths that the bucket has.
static bool visit_sources(const struct search *search, const struct policy_bucket *bucket,
                          bool is_base)
{
    const unsigned family = search->query->client->family;
    const uint64_t *lengths = family == 4 ? &bucket->bits4 : bucket->bits6;

    if (family == 0)
        return true;
    for (unsigned word = family == 4 ? 1 : IPV6_WORDS; word-- > 0;) {
        for (uint64_t left = lengths[word]; left != 0;) {
            const unsigned bit = 63 - (unsigned)__builtin_clzll(left);

            left &= ~(1ULL << bit);
            if (!visit_place(search, bucket, word * 64 + bit, is_base))
                return false;
        }
    }
    return true;
}

const struct policy_bucket *policy_find_bucket(const struct policy *policy, uint32_t table,
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
        policy_find_bucket(search->policy, search->table, from->pattern, to->pattern);
    const bool is_base = from->is_base || to->is_base;

    return bucket == NULL || (visit_sources(search, bucket, is_base) &&
                              visit_range(search, bucket->first, bucket->count, -1, is_base));
}

// ---- All of them, level by level

static bool visit_level(const struct search *search, const struct side *from_side,
                        const struct level *from, const struct side *to_side,
                        const struct level *to)
{
    struct walk from_walk = {.side = from_side, .level = from, .key = from->first};
    struct rung from_rung;
    struct rung to_rung;

    while (next_rung(&from_walk, &from_rung)) {
        struct walk to_walk = {.side = to_side, .level = to, .key = to->first};

        while (next_rung(&to_walk, &to_rung))
            if (!visit_pair(search, &from_rung, &to_rung))
                return false;
    }
    return true;
}

static bool visit_table(struct search *search)
{
    const uint32_t last = (search->table & 1U) != 0 ? 0 : 1U << 16; // without override
    struct side from;
    struct side to;

    find_levels(&from, search, search->query->from);
    find_levels(&to, search, search->query->to);
    for (unsigned f = 0; f < from.count; f++) {
        for (unsigned t = 0; t < to.count; t++) {
            search->level = last | (uint32_t)(UINT8_MAX - from.level[f].rank) << 8 |
                            (uint32_t)(UINT8_MAX - to.level[t].rank);
            if (!visit_level(search, &from, &from.level[f], &to, &to.level[t]))
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

    const uint32_t from = query->from->tables | query->from->groups;
    const uint32_t to = query->to->tables | query->to->groups;

    for (unsigned override = 2; override-- > 0;) {
        search.table = policy_table(kind, override != 0);
        if ((from & to & 1U << search.table) != 0 && !visit_table(&search))
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
