// membership.c: groups in groups. Which groups a pattern lists in, however deep, is worked out once, when the set is
// read, so that a lookup only looks. Promises: groups that go round in a circle end, and then each of them has the members of
// all; what grows with the square of the groups is bounded, so that no set takes the node's memory.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"

// Groups in groups, and patterns in groups, all told.
enum { ABOVE_MAX = 8 << 20, MEMBERSHIP_MAX = 32 << 20 };

// All groups that each group lies in, itself included: above[first[g] .. first[g + 1]], by the order of `group`.
struct nest {
    const struct policy_build *build;
    uint32_t *place; // of a pattern's number: its place among the groups
    uint32_t *group; // numbers of the groups' patterns
    size_t count;
    uint32_t *parent; // pairs of groups: parent_first[g] .. parent_first[g + 1], places
    size_t *parent_first;
    uint32_t *above; // places
    size_t above_count;
    size_t *first;
};

static void find_groups(struct nest *nest)
{
    const struct policy_build *build = nest->build;

    nest->place = mem_new_array(build->known_count, sizeof(*nest->place));
    nest->group = mem_new_array(build->known_count, sizeof(*nest->group));
    for (size_t i = 0; i < build->known_count; i++) {
        if (build->known[i].pattern.kind != POLICY_GROUP)
            continue;
        nest->place[i] = (uint32_t)nest->count;
        nest->group[nest->count++] = (uint32_t)i;
    }
}

static bool is_nested(const struct nest *nest, const struct build_pair *pair)
{
    return nest->build->known[pair->pattern].pattern.kind == POLICY_GROUP;
}

static void find_parents(struct nest *nest)
{
    const struct policy_build *build = nest->build;
    size_t total = 0;

    nest->parent_first = mem_new_array(nest->count + 2, sizeof(*nest->parent_first));
    for (size_t i = 0; i < build->pair_count; i++)
        if (is_nested(nest, &build->pair[i]))
            nest->parent_first[nest->place[build->pair[i].pattern] + 2]++, total++;
    for (size_t g = 2; g < nest->count + 2; g++)
        nest->parent_first[g] += nest->parent_first[g - 1];
    nest->parent = mem_new_array(total + 1, sizeof(*nest->parent));
    for (size_t i = 0; i < build->pair_count; i++) {
        const struct build_pair *pair = &build->pair[i];

        if (is_nested(nest, pair))
            nest->parent[nest->parent_first[nest->place[pair->pattern] + 1]++] =
                nest->place[pair->group];
    }
}

// What can be reached upwards from a group: seen[g] is the last group from which g was reached, plus one.
static void climb(struct nest *nest, uint32_t from, uint32_t *seen)
{
    size_t next = nest->above_count;

    nest->first[from] = next;
    nest->above = build_grow(nest->above, nest->above_count, sizeof(*nest->above));
    nest->above[nest->above_count++] = from;
    seen[from] = from + 1;
    for (; next < nest->above_count && nest->above_count <= ABOVE_MAX; next++) {
        const uint32_t at = nest->above[next];

        for (size_t i = nest->parent_first[at]; i < nest->parent_first[at + 1]; i++) {
            const uint32_t parent = nest->parent[i];

            if (seen[parent] == from + 1)
                continue;
            seen[parent] = from + 1;
            nest->above = build_grow(nest->above, nest->above_count, sizeof(*nest->above));
            nest->above[nest->above_count++] = parent;
        }
    }
}

static void find_above(struct nest *nest)
{
    uint32_t *seen = mem_new_array(nest->count + 1, sizeof(*seen));

    nest->first = mem_new_array(nest->count + 1, sizeof(*nest->first));
    nest->above = build_grow(NULL, 0, sizeof(*nest->above));
    for (uint32_t g = 0; g < nest->count; g++)
        climb(nest, g, seen);
    nest->first[nest->count] = nest->above_count;
    mem_free(seen);
}

static int compare_memberships(const void *a, const void *b)
{
    const struct policy_membership *left = a;
    const struct policy_membership *right = b;

    if (left->pattern != right->pattern)
        return left->pattern < right->pattern ? -1 : 1;
    return (int)left->as_recipient -
           (int)right->as_recipient; // a member in every role stands first
}

// Of one pattern: sorted, each group once.
static uint32_t tidy(struct policy_membership *list, uint32_t count)
{
    uint32_t kept = 0;

    if (count > 1)
        qsort(list, count, sizeof(*list), compare_memberships);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || list[kept - 1].pattern != list[i].pattern)
            list[kept++] = list[i];
    return kept;
}

static size_t above_of(const struct nest *nest, const struct build_pair *pair, size_t *first)
{
    const uint32_t group = nest->place[pair->group];

    *first = nest->first[group];
    return nest->first[group + 1] - nest->first[group];
}

static void fill(struct policy_build *build, const struct nest *nest,
                 struct policy_membership *membership)
{
    for (size_t i = 0; i < build->pair_count; i++) {
        const struct build_pair *pair = &build->pair[i];
        struct policy_known *known = &build->known[pair->pattern];
        size_t first;
        const size_t count = above_of(nest, pair, &first);

        for (size_t j = first; j < first + count; j++)
            membership[known->first_group + known->group_count++] =
                (struct policy_membership){nest->group[nest->above[j]], pair->as_recipient};
    }
    for (size_t i = 0; i < build->known_count; i++) {
        struct policy_known *known = &build->known[i];

        known->group_count = tidy(membership + known->first_group, known->group_count);
    }
}

// lay_out: each pattern's groups one after the other. False if they are too many.
static bool lay_out(struct policy_build *build, const struct nest *nest)
{
    struct policy_membership *membership;
    size_t total = 0;

    for (size_t i = 0; i < build->pair_count; i++) { // first how many
        size_t first;
        size_t count = above_of(nest, &build->pair[i], &first);

        build->known[build->pair[i].pattern].group_count += (uint32_t)count;
        total += count;
        if (total > MEMBERSHIP_MAX)
            return false;
    }
    total = 0;
    for (size_t i = 0; i < build->known_count; i++) {
        build->known[i].first_group = (uint32_t)total;
        total += build->known[i].group_count;
        build->known[i].group_count = 0;
    }
    membership = build_keep(build, mem_new_array(total + 1, sizeof(*membership)));
    fill(build, nest, membership);
    build->policy.membership = membership;
    return true;
}

enum err groups_resolve(struct policy_build *build, struct err_detail *detail)
{
    struct nest nest = {.build = build};
    bool fits;

    find_groups(&nest);
    find_parents(&nest);
    find_above(&nest);
    fits = nest.above_count <= ABOVE_MAX && lay_out(build, &nest);
    mem_free(nest.place);
    mem_free(nest.group);
    mem_free(nest.parent);
    mem_free(nest.parent_first);
    mem_free(nest.above);
    mem_free(nest.first);
    if (fits)
        return ERR_NONE;
    return err_say(
        detail, ERR_CONFIG,
        "groups: they lie in each other too often (%d groups in groups and %d members of "
        "them, however deep, are what one set may have)",
        ABOVE_MAX, MEMBERSHIP_MAX);
}
