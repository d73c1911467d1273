// lint_cover.c: see lint_cover.h. A pattern is climbed to all that hold it (its groups, its domain, everyone), and the
// pairs of both sides are looked up in the tables by which a lookup finds policies. So the cost hangs on how deep a pattern lies and
// not on how many policies there are.
#include "node/policy/lint_cover.h"

#include <string.h>

#include "node/core/policy_hash.h"

enum { ABOVE_MAX = 256, RANGE_MAX = 8, IPV6_BITS = 128 };

// Patterns that hold a pattern, itself included.
struct above {
    const struct policy *policy;
    bool is_from;
    bool is_wide; // also those that hold some of it alone: one of a mailbox's aliases
    uint32_t bit; // of the table; patterns that no policy of it names are left out; 0 = none is
    uint32_t number[ABOVE_MAX];
    size_t count;
};

// ---- Climbing

static void add_number(struct above *above, uint32_t number)
{
    const struct policy_known *known = &above->policy->known[number];
    uint32_t tables = above->is_from ? known->from_tables : known->to_tables;

    if ((above->bit != 0 && (tables & above->bit) == 0) || above->count == ABOVE_MAX)
        return;
    for (size_t i = 0; i < above->count; i++) {
        if (above->number[i] == number)
            return;
    }
    above->number[above->count++] = number;
}

// add_with_groups: a pattern, and the groups that list it.
static void add_with_groups(struct above *above, uint32_t number)
{
    const struct policy_known *known = &above->policy->known[number];

    add_number(above, number);
    for (uint32_t i = 0; i < known->group_count; i++) {
        const struct policy_membership *in = &above->policy->membership[known->first_group + i];

        if (!in->as_recipient || !above->is_from)
            add_number(above, in->pattern);
    }
}

static void add_if_known(struct above *above, enum policy_pattern_kind kind, bool internal,
                         const char *local, const char *domain)
{
    uint32_t number =
        policy_find(above->policy, &(struct policy_pattern){kind, internal, local, domain});

    if (number != POLICY_NOBODY)
        add_with_groups(above, number);
}

// add_domains: all that holds a domain; for what lies below it, the domain itself does not.
static void add_domains(struct above *above, const char *domain, bool is_below)
{
    if (!is_below) {
        add_if_known(above, POLICY_DOMAIN, false, "", domain);
        add_if_known(above, POLICY_PARTY, policy_is_internal(above->policy, domain), "", "");
    }
    for (const char *dot = domain; (dot = strchr(dot, '.')) != NULL;)
        add_if_known(above, POLICY_BELOW, false, "", ++dot);
}

static void add_address(struct above *above, uint32_t number)
{
    const struct policy_known *known = &above->policy->known[number];

    if (known->pattern.kind == POLICY_ADDRESS && known->user != POLICY_NOBODY)
        add_with_groups(above, above->policy->user[known->user].mailbox);
    add_if_known(above, POLICY_LOCAL, false, known->pattern.local, "");
    add_domains(above, known->pattern.domain, false);
}

// One address, or a pattern of another kind.
static void climb_one(struct above *above, uint32_t number)
{
    const struct policy_pattern *pattern = &above->policy->known[number].pattern;

    add_with_groups(above, number);
    if (pattern->kind == POLICY_ADDRESS)
        add_address(above, number);
    if (pattern->kind == POLICY_DOMAIN || pattern->kind == POLICY_BELOW)
        add_domains(above, pattern->domain, pattern->kind == POLICY_BELOW);
    add_if_known(above, POLICY_EVERYONE, false, "", "");
}

static bool is_above(const struct above *above, uint32_t number)
{
    for (size_t i = 0; i < above->count; i++)
        if (above->number[i] == number)
            return true;
    return false;
}

static void keep_common(struct above *above, const struct above *other)
{
    size_t kept = 0;

    for (size_t i = 0; i < above->count; i++)
        if (is_above(other, above->number[i]))
            above->number[kept++] = above->number[i];
    above->count = kept;
}

// What is about a mailbox is about its aliases too, wherever those lie.
static void climb(struct above *above, uint32_t number)
{
    const struct policy *policy = above->policy;
    const struct policy_known *known = &policy->known[number];
    const struct policy_user *user =
        known->user != POLICY_NOBODY ? &policy->user[known->user] : NULL;

    climb_one(above, number);
    for (size_t i = 0; user != NULL && user->mailbox == number && i < user->alias_count; i++) {
        struct above other = {.policy = policy, .is_from = above->is_from, .bit = above->bit};

        climb_one(above->is_wide ? above : &other, user->alias[i]);
        if (!above->is_wide)
            keep_common(above, &other);
    }
}

// ---- Looking up

static uint32_t find_bucket(const struct policy *policy, uint32_t table, uint32_t from, uint32_t to)
{
    uint64_t hash = policy_hash_bucket(table, from, to);

    for (uint64_t at = hash; policy->bucket_slots.slot[at & policy->bucket_slots.mask] != 0; at++) {
        uint32_t number = (uint32_t)policy->bucket_slots.slot[at & policy->bucket_slots.mask] - 1;
        const struct policy_bucket *bucket = &policy->bucket[number];

        if (bucket->table == table && bucket->from == from && bucket->to == to)
            return number;
    }
    return POLICY_NOBODY;
}

static const struct policy_place *find_place(const struct policy *policy, uint32_t bucket,
                                             const struct ip_net *net)
{
    uint64_t hash = policy_hash_place(bucket, net);

    for (uint64_t at = hash; policy->place_slots.slot[at & policy->place_slots.mask] != 0; at++) {
        const struct policy_place *place =
            &policy->place[(uint32_t)policy->place_slots.slot[at & policy->place_slots.mask] - 1];

        if (place->bucket == bucket && ip_net_compare(&place->net, net) == 0)
            return place;
    }
    return NULL;
}

// covers_source: each network of the rule lies inside one of the other's.
static bool covers_source(const struct policy_rule *by, const struct policy_rule *rule)
{
    if (by->source_count == 0)
        return true;
    for (size_t i = 0; i < rule->source_count; i++) {
        bool inside = false;

        for (size_t j = 0; j < by->source_count && !inside; j++)
            inside = by->source[j].bits <= rule->source[i].bits &&
                     ip_net_contains(&by->source[j], &rule->source[i].ip);
        if (!inside)
            return false;
    }
    return rule->source_count > 0;
}

static bool names_mailboxes(const struct policy *policy, uint32_t number)
{
    enum policy_pattern_kind kind = policy->known[number].pattern.kind;

    return kind == POLICY_ADDRESS || kind == POLICY_LOCAL || kind == POLICY_GROUP;
}

// covers_tags: what restricts ann@dom restricts ann+tag@dom as well, what lets her through does not: so the one is not
// covered by the other, though both are about ann@dom.
static bool covers_tags(const struct cover *cover, const struct policy_bucket *bucket,
                        const struct policy_rule *by)
{
    uint32_t from = cover->exchanged ? cover->rule->to : cover->rule->from;

    return policy_takes_base(by) || !policy_takes_base(cover->rule) ||
           !names_mailboxes(cover->policy, from) || !names_mailboxes(cover->policy, bucket->from);
}

static bool visit_range(const struct cover *cover, const struct policy_bucket *bucket,
                        uint32_t first, uint32_t count)
{
    const struct policy *policy = cover->policy;

    for (uint32_t i = 0; i < count && i < RANGE_MAX; i++) {
        const struct policy_rule *by = &policy->rule[policy->order[first + i]];

        if (by != cover->rule && covers_source(by, cover->rule) && covers_tags(cover, bucket, by) &&
            !cover->visit(&(struct cover_fit){by, bucket->from, bucket->to}, cover->arg))
            return false;
    }
    return true;
}

static bool has_bits(const struct policy_bucket *bucket, uint8_t family, unsigned bits)
{
    if (family == 4)
        return (bucket->bits4 >> bits & 1) != 0;
    return (bucket->bits6[bits / 64] >> bits % 64 & 1) != 0;
}

// visit_places: networks around the rule's first one: whatever covers its source has one of them.
static bool visit_places(const struct cover *cover, uint32_t number)
{
    const struct policy_bucket *bucket = &cover->policy->bucket[number];
    const struct ip_net *net = &cover->rule->source[0];

    for (unsigned bits = 0; bits <= net->bits; bits++) {
        struct ip_net around = ip_net_of(&net->ip, bits);
        const struct policy_place *place = NULL;

        if (has_bits(bucket, net->ip.family, bits))
            place = find_place(cover->policy, number, &around);
        if (place != NULL && !visit_range(cover, bucket, place->first, place->count))
            return false;
    }
    return true;
}

static bool visit_bucket(const struct cover *cover, uint32_t number)
{
    const struct policy_bucket *bucket = &cover->policy->bucket[number];

    if (!visit_range(cover, bucket, bucket->first, bucket->count))
        return false;
    return cover->rule->source_count == 0 || visit_places(cover, number);
}

void cover_each(const struct cover *cover, uint32_t table)
{
    const struct policy *policy = cover->policy;
    struct above from = {.policy = policy, .is_from = true, .bit = 1U << table};
    struct above to = {.policy = policy, .is_from = false, .bit = 1U << table};

    if ((policy->tables & from.bit) == 0)
        return;
    climb(&from, cover->exchanged ? cover->rule->to : cover->rule->from);
    if (from.count > 0)
        climb(&to, cover->exchanged ? cover->rule->from : cover->rule->to);
    for (size_t i = 0; i < from.count; i++) {
        for (size_t j = 0; j < to.count; j++) {
            uint32_t number = find_bucket(policy, table, from.number[i], to.number[j]);

            if (number != POLICY_NOBODY && !visit_bucket(cover, number))
                return;
        }
    }
}

void cover_mark(const struct policy *policy, uint32_t number, bool is_from, bool *marks)
{
    struct above above = {.policy = policy, .is_from = is_from, .is_wide = true};

    climb(&above, number);
    for (size_t i = 0; i < above.count; i++)
        marks[above.number[i]] = true;
}

bool cover_is_marked(const struct policy *policy, uint32_t number, bool is_from, const bool *marks)
{
    struct above above = {.policy = policy, .is_from = is_from, .is_wide = true};

    climb(&above, number);
    for (size_t i = 0; i < above.count; i++) {
        if (marks[above.number[i]])
            return true;
    }
    return false;
}

// ---- In force

static bool has_country(const struct policy_rule *rule, const char *country)
{
    for (size_t i = 0; i < rule->country_count; i++) {
        if (strcmp(rule->country[i], country) == 0 || strcmp(rule->country[i], "*") == 0)
            return true;
    }
    return false;
}

bool cover_holds(const struct policy_rule *by, const struct policy_rule *rule)
{
    if (!by->enabled || (by->mode == POLICY_SHADOW && rule->mode != POLICY_SHADOW))
        return false;
    if (by->part == POLICY_HEADER)
        return false;
    if (by->valid_from_ms > rule->valid_from_ms)
        return false;
    if (by->valid_until_ms != 0 &&
        (rule->valid_until_ms == 0 || rule->valid_until_ms > by->valid_until_ms))
        return false;
    for (size_t i = 0; by->kind == POLICY_GEO && i < rule->country_count; i++) {
        if (!has_country(by, rule->country[i]))
            return false;
    }
    return true;
}
