// index.c: the tables by which policies are found (core/policy.h): a bucket for each (table, from, to) that a policy
// names, and in it a place for each source network. Built once, when all of a set was read; nothing here can fail.
#include <stdlib.h>
#include <string.h>

#include "node/core/policy_hash.h"
#include "node/policy/build.h"
#include "proto/base/mem.h"

// One policy under one bucket and one network.
struct entry {
    uint32_t table, from, to;
    uint32_t rule;
    enum policy_option option;
    bool has_net;
    struct ip_net net;
};

struct entries {
    struct entry *entry;
    size_t count;
};

static int compare_rules(const void *a, const void *b)
{
    const struct policy_rule *left = a;
    const struct policy_rule *right = b;

    return strcmp(left->id, right->id);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

// By bucket, those without a network first, then by network; of one place the more restrictive first, then by id.
static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = compare_numbers(left->table, right->table);

    if (order == 0)
        order = compare_numbers(left->from, right->from);
    if (order == 0)
        order = compare_numbers(left->to, right->to);
    if (order == 0)
        order = (int)left->has_net - (int)right->has_net;
    if (order == 0 && left->has_net)
        order = ip_net_compare(&left->net, &right->net);
    if (order == 0)
        order = (int)right->option - (int)left->option;
    return order != 0 ? order : compare_numbers(left->rule, right->rule);
}

static void add_entry(struct entries *all, struct entry entry)
{
    all->entry = build_grow(all->entry, all->count, sizeof(*all->entry));
    all->entry[all->count++] = entry;
}

static void add_rule(struct entries *all, const struct policy_rule *rule, uint32_t number,
                     bool exchanged)
{
    struct entry entry = {.table = policy_table(rule->kind, rule->override),
                          .from = exchanged ? rule->to : rule->from,
                          .to = exchanged ? rule->from : rule->to,
                          .rule = number,
                          .option = rule->option};

    if (rule->source_count == 0)
        add_entry(all, entry);
    entry.has_net = true;
    for (size_t i = 0; i < rule->source_count; i++) {
        entry.net = rule->source[i];
        add_entry(all, entry);
    }
}

static struct entries gather(const struct policy_build *build)
{
    struct entries all = {0};

    for (size_t i = 0; i < build->rule_count; i++) {
        const struct policy_rule *rule = &build->rule[i];

        add_rule(&all, rule, (uint32_t)i, false);
        if (rule->bidirectional && rule->from != rule->to)
            add_rule(&all, rule, (uint32_t)i, true);
    }
    if (all.count > 0)
        qsort(all.entry, all.count, sizeof(*all.entry), compare_entries);
    return all;
}

static bool is_same_bucket(const struct entry *a, const struct entry *b)
{
    return a->table == b->table && a->from == b->from && a->to == b->to;
}

static bool is_same_place(const struct entry *a, const struct entry *b)
{
    return is_same_bucket(a, b) && a->has_net == b->has_net &&
           (!a->has_net || ip_net_compare(&a->net, &b->net) == 0);
}

// What is laid out, as long as it is written to.
struct layout {
    struct policy_build *build;
    uint32_t *order;
    struct policy_bucket *bucket;
    size_t bucket_count;
    struct policy_place *place;
    size_t place_count;
};

static void open_bucket(struct layout *out, const struct entry *entry, uint32_t first)
{
    struct policy *policy = &out->build->policy;
    const uint32_t bit = 1U << entry->table;

    out->bucket[out->bucket_count++] = (struct policy_bucket){
        .table = entry->table, .from = entry->from, .to = entry->to, .all_first = first};
    out->build->known[entry->from].from_tables |= bit;
    out->build->known[entry->to].to_tables |= bit;
    policy->tables |= bit;
}

static void note_length(struct policy_bucket *bucket, const struct ip_net *net)
{
    if (net->ip.family == 4)
        bucket->bits4 |= 1ULL << net->bits;
    else
        bucket->bits6[net->bits / 64] |= 1ULL << net->bits % 64;
}

// A range of entries that stand in one place.
static void open_range(struct layout *out, const struct entry *entry, uint32_t first,
                       uint32_t count)
{
    struct policy_bucket *bucket = &out->bucket[out->bucket_count - 1];

    bucket->all_count += count;
    if (!entry->has_net) {
        bucket->first = first;
        bucket->count = count;
        return;
    }
    note_length(bucket, &entry->net);
    out->place[out->place_count++] =
        (struct policy_place){.bucket = (uint32_t)(out->bucket_count - 1),
                              .net = entry->net,
                              .first = first,
                              .count = count};
}

static void lay_out(struct layout *out, const struct entries *all)
{
    size_t end;

    for (size_t i = 0; i < all->count; i = end) {
        if (i == 0 || !is_same_bucket(&all->entry[i - 1], &all->entry[i]))
            open_bucket(out, &all->entry[i], (uint32_t)i);
        for (end = i; end < all->count && is_same_place(&all->entry[i], &all->entry[end]); end++)
            out->order[end] = all->entry[end].rule;
        open_range(out, &all->entry[i], (uint32_t)i, (uint32_t)(end - i));
    }
}

static struct policy_slots bucket_slots(struct policy_build *build, const struct layout *out)
{
    struct policy_slots slots;
    uint64_t *slot = build_keep(build, build_slots(out->bucket_count, &slots.mask));

    for (size_t i = 0; i < out->bucket_count; i++) {
        const struct policy_bucket *bucket = &out->bucket[i];

        build_slot(slot, slots.mask, policy_hash_bucket(bucket->table, bucket->from, bucket->to),
                   (uint32_t)i);
    }
    slots.slot = slot;
    return slots;
}

static struct policy_slots place_slots(struct policy_build *build, const struct layout *out)
{
    struct policy_slots slots;
    uint64_t *slot = build_keep(build, build_slots(out->place_count, &slots.mask));

    for (size_t i = 0; i < out->place_count; i++)
        build_slot(slot, slots.mask, policy_hash_place(out->place[i].bucket, &out->place[i].net),
                   (uint32_t)i);
    slots.slot = slot;
    return slots;
}

static void index_rules(struct policy_build *build)
{
    struct policy *policy = &build->policy;
    struct entries all = gather(build);
    struct layout out = {
        .build = build,
        .order = build_keep(build, mem_new_array(all.count + 1, sizeof(uint32_t))),
        .bucket = build_keep(build, mem_new_array(all.count + 1, sizeof(struct policy_bucket))),
        .place = build_keep(build, mem_new_array(all.count + 1, sizeof(struct policy_place))),
    };

    lay_out(&out, &all);
    mem_free(all.entry);
    policy->order = out.order;
    policy->bucket = out.bucket;
    policy->bucket_slots = bucket_slots(build, &out);
    policy->place = out.place;
    policy->place_slots = place_slots(build, &out);
}

// Which kinds of patterns there are, and where policies name a group that lists one.
static void note_known(struct policy_build *build)
{
    const struct policy_membership *membership = build->policy.membership;

    for (size_t i = 0; i < build->known_count; i++) {
        struct policy_known *known = &build->known[i];

        build->policy.known_kinds |= 1U << known->pattern.kind;
        for (uint32_t k = 0; k < known->group_count; k++) {
            const struct policy_known *group =
                &build->known[membership[known->first_group + k].pattern];

            known->from_groups |= group->from_tables;
            known->to_groups |= group->to_tables;
        }
    }
}

enum err build_index(struct policy_build *build, struct err_detail *detail)
{
    struct policy *policy = &build->policy;
    enum err err = groups_resolve(build, detail);

    if (err != ERR_NONE)
        return err;

    if (build->rule_count > 0)
        qsort(build->rule, build->rule_count, sizeof(*build->rule), compare_rules);
    for (size_t i = 0; i < build->rule_count; i++)
        if (build->rule[i].mode == POLICY_SHADOW)
            policy->shadow_tables |= 1U
                                     << policy_table(build->rule[i].kind, build->rule[i].override);
    index_rules(build);
    note_known(build);
    policy->rule = build->rule;
    policy->rule_count = build->rule_count;
    policy->known = build->known;
    policy->known_count = build->known_count;
    policy->known_slots = (struct policy_slots){build->known_slot, build->known_mask};
    return ERR_NONE;
}
