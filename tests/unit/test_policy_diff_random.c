// The difference of two sets, applied to the first, is the second: any two, so they are random ones that say much the same. A failure
// prints its seed; REEVE_SEED=... plays it again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy/canonical.h"
#include "node/policy/diff.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/policy_kinds.h"
#include "tests/support/policy_written.h"
#include "tests/support/table.h"

enum { PAIRS = 400, STATEMENTS_MAX = 1024 };

struct compiled {
    struct policy *policy;
    char yaml[WRITTEN_YAML_MAX];
};

static const struct written_shape shape = {.kind = written_kinds,
                                           .kind_count = WRITTEN_KINDS,
                                           .policies = 40,
                                           .groups = true,
                                           .users = true};

static void compile(const struct written_set *set, uint64_t seed, struct compiled *out)
{
    static const struct written_shuffle in_order = {.files = 1};
    struct err_detail detail = {.text = ""};

    written_yaml(set, &in_order, 0, out->yaml);
    if (policy_parse("set.yaml", out->yaml, strlen(out->yaml), &out->policy, &detail) == ERR_NONE)
        return;
    (void)fprintf(stderr, "REEVE_SEED=%llu\n%s\n", (unsigned long long)seed, out->yaml);
    fail_msg("the set is refused: %s", detail.text);
}

// ---- Difference

// What a set says, as a map.
struct statements {
    char *key[STATEMENTS_MAX];
    char *value[STATEMENTS_MAX];
    size_t count;
};

static size_t find_key(const struct statements *all, const char *key)
{
    size_t i = 0;

    while (i < all->count && strcmp(all->key[i], key) != 0)
        i++;
    return i;
}

static bool add_statement(const struct canonical *said, void *arg)
{
    struct statements *all = arg;

    assert_true(all->count < STATEMENTS_MAX);
    assert_int_equal(find_key(all, said->key), all->count); // no two have one key
    all->key[all->count] = mem_text(said->key);
    all->value[all->count++] = mem_text(said->value);
    return true;
}

static void remove_statement(struct statements *all, size_t at)
{
    mem_free(all->key[at]);
    mem_free(all->value[at]);
    all->count--;
    all->key[at] = all->key[all->count];
    all->value[at] = all->value[all->count];
}

static void clear(struct statements *all)
{
    while (all->count > 0)
        remove_statement(all, 0);
}

// A row of a difference, applied: what it takes away must have been there, as it says.
static bool apply(const struct policy_change *change, void *arg)
{
    struct statements *all = arg;
    size_t at = find_key(all, change->what);
    struct canonical after = {.key = change->what, .value = change->after};

    if (change->kind == POLICY_ADDED) {
        assert_int_equal(at, all->count);
        assert_string_equal(change->before, "");
    } else {
        assert_true(at < all->count);
        assert_string_equal(all->value[at], change->before);
        remove_statement(all, at);
    }
    if (change->kind == POLICY_REMOVED)
        assert_string_equal(change->after, "");
    else
        (void)add_statement(&after, all);
    if (change->kind == POLICY_CHANGED)
        assert_string_not_equal(change->before, change->after);
    return true;
}

static void must_be_same(const struct statements *one, const struct statements *other)
{
    assert_int_equal(one->count, other->count);
    for (size_t i = 0; i < one->count; i++) {
        size_t at = find_key(other, one->key[i]);

        assert_true(at < other->count);
        assert_string_equal(one->value[i], other->value[at]);
    }
}

// Another set that says much the same: some policies are others, gone, or new; a group has another member, a domain went.
static void edit(struct random *random, const struct written_set *set, struct written_set *out)
{
    struct written_set other;

    written_random(random, &shape, &other);
    *out = *set;
    for (unsigned i = 0; i < out->policy_count; i++) {
        struct written_policy *policy = &out->policy[i];

        if (random_chance(random, 10))
            policy->enabled = !policy->enabled;
        if (random_chance(random, 10))
            policy->from_day = policy->until_day > 1 ? 1 : policy->from_day;
        if (random_chance(random, 5))
            *policy = out->policy[--out->policy_count];
    }
    for (unsigned i = 0; i < out->group_count; i++) {
        if (random_chance(random, 30) && out->group[i].member_count > 0)
            out->group[i].member_count--;
        if (random_chance(random, 20))
            out->group[i].address_local =
                out->group[i].address_local != NULL ? NULL : out->group[i].name;
    }
    if (random_chance(random, 30) && out->user_count > 0)
        out->user_count--;
    if (random_chance(random, 30)) {
        memcpy(out->domain, other.domain, sizeof(out->domain));
        memcpy(out->anti_spoof, other.anti_spoof, sizeof(out->anti_spoof));
        out->domain_count = other.domain_count;
        out->head = other.head;
    }
}

static bool count_change(const struct policy_change *change, void *arg)
{
    (void)change;
    ++*(size_t *)arg;
    return true;
}

static size_t count_changes(const struct policy *before, const struct policy *after)
{
    size_t count = 0;

    policy_diff(before, after, count_change, &count);
    return count;
}

static void compare_pair(struct random *random, uint64_t seed, size_t *changes)
{
    static struct written_set before;
    static struct written_set after;
    struct compiled *one = mem_new(sizeof(*one));
    struct compiled *other = mem_new(sizeof(*other));
    struct statements *applied = mem_new(sizeof(*applied));
    struct statements *wanted = mem_new(sizeof(*wanted));

    written_random(random, &shape, &before);
    edit(random, &before, &after);
    compile(&before, seed, one);
    compile(&after, seed, other);
    canonical_each(one->policy, CANONICAL_SORTED, add_statement, applied);
    canonical_each(other->policy, CANONICAL_ANY_ORDER, add_statement, wanted);
    policy_diff(one->policy, other->policy, apply, applied);
    must_be_same(applied, wanted);
    *changes += count_changes(one->policy, other->policy);
    assert_int_equal(count_changes(one->policy, other->policy) == 0,
                     one->policy->hash == other->policy->hash);
    assert_int_equal(count_changes(one->policy, one->policy), 0);
    clear(applied);
    clear(wanted);
    policy_free(&one->policy);
    policy_free(&other->policy);
    mem_free(applied);
    mem_free(wanted);
    mem_free(one);
    mem_free(other);
}

static void the_difference_applied_to_the_first_is_the_second(void **state)
{
    uint64_t seed = random_seed(5000000);
    size_t changes = 0;

    (void)state;
    for (unsigned i = 0; i < PAIRS; i++) {
        struct random random = {seed + i};

        compare_pair(&random, seed + i, &changes);
    }
    print_message("%zu changes\n", changes);
    assert_true(changes > PAIRS * 3);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, the_difference_applied_to_the_first_is_the_second);
    return table_run(&table, "policy_diff_random");
}
