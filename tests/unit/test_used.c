// How often policies are used: what is told to the store at once, and what waits for the next time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy/set.h"
#include "node/verbs/used.h"
#include "proto/base/mem.h"
#include "tests/support/store_scene.h"
#include "tests/support/table.h"

enum { POLICIES = 300, AT_ONCE = 256 };

static struct policy *make_policies(void)
{
    struct policy *policy = NULL;
    struct err_detail detail = {""};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)fputs("policies:\n", out);
    for (int i = 0; i < POLICIES; i++)
        (void)fprintf(out, "  - {id: p%03d, kind: permit, from: s%d.example}\n", i, i);
    (void)fclose(out);
    if (policy_parse("policy", text, len, &policy, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    free(text);
    return policy;
}

static struct verdict verdict_of(const struct policy *policy, size_t rule, bool in_shadow)
{
    struct verdict verdict = {.rule = "", .shadow_rule = ""};

    verdict.used[0] = (struct used_rule){&policy->rule[rule], in_shadow};
    verdict.used_count = 1;
    return verdict;
}

static void use(struct used *used, const struct policy *policy, size_t rule, bool in_shadow,
                uint64_t now_ms)
{
    const struct verdict verdict = verdict_of(policy, rule, in_shadow);

    used_count(used, policy, &verdict, now_ms);
}

static unsigned waiting(const struct used *used)
{
    unsigned count = 0;

    for (size_t i = 0; i < POLICIES; i++) {
        struct store_used sum = {.id = ""};

        used_add(used, i, &sum);
        count += sum.hits + sum.shadow_hits > 0;
    }
    return count;
}

static void what_is_told_is_bounded_and_the_rest_waits(void **state)
{
    struct policy *policy = make_policies();
    struct used *used = used_new(policy->rule_count);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    used_flush(used, policy, scene.store); // nothing is fine
    for (size_t i = 0; i < POLICIES; i++)
        for (size_t times = 0; times < 2; times++)
            use(used, policy, i, false, store_now_ms(scene.store));
    assert_int_equal(waiting(used), POLICIES);
    used_flush(used, policy, scene.store);
    assert_int_equal(waiting(used), POLICIES - AT_ONCE);
    used_flush(used, policy, scene.store);
    assert_int_equal(waiting(used), 0);
    used_flush(used, policy, scene.store);
    settle(&scene);
    assert_int_equal(stage_number(&scene.stage, "HINCRBY used:{p}:p000 hits 0"), 2); // once
    assert_int_equal(stage_number(&scene.stage, "HINCRBY used:{p}:p299 hits 0"), 2);
    assert_int_equal(stage_number(&scene.stage, "DBSIZE"), POLICIES + 2); // meta, events
    scene_close(&scene);
    used_free(&used);
    used_free(&used);
    policy_free(&policy);
}

static void while_the_store_is_away_it_adds_up(void **state)
{
    struct policy *policy = make_policies();
    struct used *used = used_new(policy->rule_count);
    struct store_used sum = {.id = "p007", .hits = 1, .last_ms = 5000};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    use(used, policy, 7, false, 1000);
    used_flush(used, policy, scene.store);
    use(used, policy, 7, false, 3000);
    use(used, policy, 7, true, 2000);
    used_flush(used, policy, scene.store);
    used_add(used, 7, &sum);
    assert_int_equal(sum.hits, 3);
    assert_int_equal(sum.shadow_hits, 1);
    assert_int_equal(sum.last_ms, 5000);
    assert_int_equal(waiting(used), 1);
    scene_close(&scene);
    used_free(&used);
    policy_free(&policy);
}

// A step may name who decided without having said that it used it.
static void who_decided_was_used(void **state)
{
    struct policy *policy = make_policies();
    struct used *used = used_new(policy->rule_count);
    struct verdict verdict = verdict_of(policy, 3, false);
    struct store_used sum = {.id = ""};
    char same_words[] = "p005";

    (void)state;
    verdict.rule = policy->rule[3].id; // both: once
    used_count(used, policy, &verdict, 1000);
    used_add(used, 3, &sum);
    assert_int_equal(sum.hits, 1);
    verdict.used_count = 0;
    verdict.rule = policy->rule[4].id;
    verdict.shadow_rule = policy->rule[6].id;
    used_count(used, policy, &verdict, 2000);
    verdict.rule = same_words; // is nobody's
    used_count(used, policy, &verdict, 3000);
    assert_int_equal(waiting(used), 3);
    sum = (struct store_used){.id = ""};
    used_add(used, 6, &sum);
    assert_int_equal(sum.hits, 0);
    assert_int_equal(sum.shadow_hits, 2);
    assert_int_equal(sum.last_ms, 3000);
    used_free(&used);
    policy_free(&policy);
}

static void a_set_without_policies_counts_nothing(void **state)
{
    struct policy *policy = NULL;
    struct verdict verdict = {.rule = "x", .shadow_rule = ""};
    struct err_detail detail;
    struct used *used = used_new(0);

    (void)state;
    assert_int_equal(policy_parse("policy", "", 0, &policy, &detail), ERR_NONE);
    used_count(used, policy, &verdict, 1000);
    used_free(&used);
    policy_free(&policy);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, what_is_told_is_bounded_and_the_rest_waits);
    TABLE_TEST(&table, while_the_store_is_away_it_adds_up);
    TABLE_TEST(&table, who_decided_was_used);
    TABLE_TEST(&table, a_set_without_policies_counts_nothing);
    return table_run(&table, "used");
}
