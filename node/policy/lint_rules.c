// lint_rules.c: policies that never decide because of others: of their own kind, or a permit behind a block. Only what is
// certain is told: a policy that decides for some mail, however little, is no finding.
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/lint_cover.h"
#include "node/policy/lint_find.h"
#include "proto/base/mem.h"

// How specific a policy is where it was found.
struct rank {
    bool override;
    uint8_t from, to;
};

static struct rank rank_of(const struct policy *policy, const struct policy_rule *rule,
                           uint32_t from, uint32_t to)
{
    return (struct rank){rule->override, policy_rank(&policy->known[from].pattern),
                         policy_rank(&policy->known[to].pattern)};
}

static int compare_ranks(const struct rank *a, const struct rank *b)
{
    if (a->override != b->override)
        return a->override ? 1 : -1;
    if (a->from != b->from)
        return a->from > b->from ? 1 : -1;
    return (a->to > b->to) - (a->to < b->to);
}

// has_same_source: the same networks, which are sorted.
static bool has_same_source(const struct policy_rule *a, const struct policy_rule *b)
{
    if (a->source_count != b->source_count)
        return false;
    for (size_t i = 0; i < a->source_count; i++) {
        if (ip_net_compare(&a->source[i], &b->source[i]) != 0)
            return false;
    }
    return true;
}

// ---- Of its own kind

// A policy, and who decides before it whatever it fits.
struct before {
    const struct policy *policy;
    const struct policy_rule *rule;
    struct rank rank;
    const struct policy_rule *by; // NULL = nobody
    bool is_same_place;
};

// goes_first: of two policies that fit one mail.
static bool goes_first(const struct before *b, const struct cover_fit *fit)
{
    const struct rank rank = rank_of(b->policy, fit->rule, fit->from, fit->to);
    int order = compare_ranks(&rank, &b->rank);

    if (order != 0)
        return order > 0;
    if (!has_same_source(fit->rule, b->rule))
        return false; // it covers, so the rule's own networks are closer
    if (fit->rule->option != b->rule->option)
        return fit->rule->option > b->rule->option;
    return fit->rule < b->rule; // sorted by id
}

// Of all geo policies that fit the strongest decides, not the most specific.
static bool is_stronger(const struct before *b, const struct cover_fit *fit)
{
    // As core/geo.c: whoever lets it pass, then a hold, then a block.
    if (fit->rule->option != b->rule->option)
        return fit->rule->option < b->rule->option;
    return fit->rule < b->rule;
}

static bool take_before(const struct cover_fit *fit, void *arg)
{
    struct before *b = arg;
    bool decides = b->rule->kind == POLICY_GEO ? is_stronger(b, fit) : goes_first(b, fit);

    if (!decides || !cover_holds(fit->rule, b->rule))
        return true;
    b->by = fit->rule;
    return false;
}

// find_before: one direction of a policy.
static const struct policy_rule *find_before(const struct policy *policy,
                                             const struct policy_rule *rule, bool exchanged)
{
    uint32_t from = exchanged ? rule->to : rule->from;
    uint32_t to = exchanged ? rule->from : rule->to;
    struct before before = {
        .policy = policy, .rule = rule, .rank = rank_of(policy, rule, from, to)};
    const struct cover cover = {policy, rule, exchanged, take_before, &before};

    cover_each(&cover, policy_table(rule->kind, true));
    if (before.by == NULL && !rule->override)
        cover_each(&cover, policy_table(rule->kind, false));
    return before.by;
}

static bool is_same_place(const struct policy_rule *a, const struct policy_rule *b)
{
    return a->from == b->from && a->to == b->to && has_same_source(a, b);
}

static void lint_own_kind(struct lint *lint, const struct policy_rule *rule)
{
    const struct policy_rule *by = find_before(lint->policy, rule, false);

    if (by == NULL)
        return;
    if (rule->bidirectional && rule->from != rule->to &&
        find_before(lint->policy, rule, true) == NULL)
        return;
    if (is_same_place(by, rule) && by->override == rule->override)
        lint_say(lint, "shadowed", rule->file, rule->line,
                 "policy %s never decides: policy %s (%s:%u) has the same from, to and source, and "
                 "goes first",
                 rule->id, by->id, by->file, by->line);
    else
        lint_say(
            lint, "dead", rule->file, rule->line,
            "policy %s never decides: policy %s (%s:%u) fits all of its mail, and goes first%s",
            rule->id, by->id, by->file, by->line,
            by->override && !rule->override ? " by override" : "");
}

// ---- Permits behind blocks

// What takes single senders or recipients out of blocks.
struct rescue {
    bool *from;       // a block with no_action is from there
    bool *below_from; // or from somewhere inside of it
    bool *below_to;
    bool *
        part_from; // one is from there that is not always in force: for some networks, or some time
    bool *part_to;
    unsigned from_kinds, to_kinds; // bits 1 << enum policy_pattern_kind
};

static bool is_always(const struct policy_rule *rule)
{
    return rule->source_count == 0 && rule->valid_from_ms == 0 && rule->valid_until_ms == 0;
}

static void mark_rescues(const struct policy *policy, struct rescue *rescue)
{
    *rescue = (struct rescue){.from_kinds = 0};
    rescue->from = mem_new_array(policy->known_count, sizeof(bool));
    rescue->below_from = mem_new_array(policy->known_count, sizeof(bool));
    rescue->below_to = mem_new_array(policy->known_count, sizeof(bool));
    rescue->part_from = mem_new_array(policy->known_count, sizeof(bool));
    rescue->part_to = mem_new_array(policy->known_count, sizeof(bool));
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rule[i];

        if (rule->kind != POLICY_BLOCK || rule->option != POLICY_NO_ACTION || !rule->enabled)
            continue;
        for (int way = 0; way < (rule->bidirectional ? 2 : 1); way++) {
            uint32_t from = way == 0 ? rule->from : rule->to;
            uint32_t to = way == 0 ? rule->to : rule->from;

            rescue->from[from] = true;
            rescue->from_kinds |= 1U << policy->known[from].pattern.kind;
            rescue->to_kinds |= 1U << policy->known[to].pattern.kind;
            rescue->part_from[from] = rescue->part_from[from] || !is_always(rule);
            rescue->part_to[to] = rescue->part_to[to] || !is_always(rule);
            cover_mark(policy, from, true, rescue->below_from);
            cover_mark(policy, to, false, rescue->below_to);
        }
    }
}

// may_mix: a pattern of one of these kinds may fit some of what this one fits, though neither holds the other: ann@* and
// x.example, .x.example and internal.
static bool may_mix(const struct policy *policy, uint32_t number, unsigned kinds)
{
    enum {
        PARTY = 1 << POLICY_PARTY,
        BELOW = 1 << POLICY_BELOW,
        DOMAIN = 1 << POLICY_DOMAIN,
        GROUP = 1 << POLICY_GROUP,
        LOCAL = 1 << POLICY_LOCAL
    };
    static const unsigned mixes[] = {
        [POLICY_EVERYONE] = 0,
        [POLICY_PARTY] = BELOW | GROUP | LOCAL,
        [POLICY_BELOW] = PARTY | GROUP | LOCAL,
        [POLICY_DOMAIN] = GROUP | LOCAL,
        [POLICY_GROUP] = PARTY | BELOW | DOMAIN | GROUP | LOCAL,
        [POLICY_LOCAL] = PARTY | BELOW | DOMAIN | GROUP,
        [POLICY_ADDRESS] = 0,
        [POLICY_NULL] = 0,
    };

    return (mixes[policy->known[number].pattern.kind] & kinds) != 0;
}

static bool may_be_rescued(const struct policy *policy, const struct rescue *rescue, uint32_t from,
                           uint32_t to)
{
    return may_mix(policy, from, rescue->from_kinds) || may_mix(policy, to, rescue->to_kinds) ||
           rescue->below_from[from] ||
           (rescue->below_to[to] && cover_is_marked(policy, from, true, rescue->from)) ||
           (cover_is_marked(policy, from, true, rescue->part_from) &&
            cover_is_marked(policy, to, false, rescue->part_to));
}

// The block that decides about all mail of a permit.
struct deciding {
    const struct policy *policy;
    const struct policy_rule *permit;
    const struct policy_rule *block;
    struct rank rank;
};

static bool is_better(const struct deciding *d, const struct cover_fit *fit,
                      const struct rank *rank)
{
    int order = d->block != NULL ? compare_ranks(rank, &d->rank) : 1;

    if (order == 0)
        order = (fit->rule->option > d->block->option) - (fit->rule->option < d->block->option);
    return order > 0;
}

static bool take_block(const struct cover_fit *fit, void *arg)
{
    struct deciding *d = arg;
    const struct rank rank = rank_of(d->policy, fit->rule, fit->from, fit->to);

    if (cover_holds(fit->rule, d->permit) && is_better(d, fit, &rank)) {
        d->block = fit->rule;
        d->rank = rank;
    }
    return true;
}

static const struct policy_rule *find_block(const struct policy *policy,
                                            const struct rescue *rescue,
                                            const struct policy_rule *permit, bool exchanged)
{
    struct deciding deciding = {.policy = policy, .permit = permit};
    const struct cover cover = {policy, permit, exchanged, take_block, &deciding};

    if (may_be_rescued(policy, rescue, exchanged ? permit->to : permit->from,
                       exchanged ? permit->from : permit->to))
        return NULL;
    cover_each(&cover, policy_table(POLICY_BLOCK, true));
    cover_each(&cover, policy_table(POLICY_BLOCK, false));
    return deciding.block != NULL && deciding.block->option == POLICY_REJECT ? deciding.block
                                                                             : NULL;
}

static void lint_permit(struct lint *lint, const struct rescue *rescue,
                        const struct policy_rule *permit)
{
    const struct policy_rule *block = find_block(lint->policy, rescue, permit, false);

    if (block == NULL)
        return;
    if (permit->bidirectional && permit->from != permit->to &&
        find_block(lint->policy, rescue, permit, true) == NULL)
        return;
    if (is_same_place(block, permit))
        lint_say(lint, "contradicting", permit->file, permit->line,
                 "policy %s permits what policy %s (%s:%u) blocks: the block goes first",
                 permit->id, block->id, block->file, block->line);
    else
        lint_say(lint, "dead", permit->file, permit->line,
                 "policy %s permits nothing: policy %s (%s:%u) blocks all of its mail before",
                 permit->id, block->id, block->file, block->line);
}

// ---- All of them

// What is asked one of a kind. Rules with conditions go by those, and are left out.
static bool has_one_that_applies(const struct policy_rule *rule)
{
    return rule->kind != POLICY_SENDER_RULE && rule->kind != POLICY_RECIPIENT_RULE;
}

void lint_rules(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    struct rescue rescue;

    mark_rescues(policy, &rescue);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rule[i];
        bool is_over = rule->valid_until_ms != 0 && rule->valid_until_ms <= lint->now_ms;

        if (!rule->enabled || is_over || rule->part == POLICY_HEADER)
            continue; // told already, or meant so
        if (has_one_that_applies(rule))
            lint_own_kind(lint, rule);
        if (rule->kind == POLICY_PERMIT && rule->option == POLICY_ALLOW)
            lint_permit(lint, &rescue, rule);
    }
    mem_free(rescue.from);
    mem_free(rescue.below_from);
    mem_free(rescue.below_to);
    mem_free(rescue.part_from);
    mem_free(rescue.part_to);
}
