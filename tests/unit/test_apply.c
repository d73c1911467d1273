// What of several things in shadow is told: the first refusal, else the first that would have let the mail through.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/apply.h"
#include "tests/support/table.h"

static const struct policy_rule OLD = {.id = "old"};
static const struct policy_rule NEW = {.id = "new"};

static const struct shadow_row {
    const char *name;
    enum reason before, then, told;
    const char *rule;
} SHADOWS[] = {
    {"the first refusal", REASON_COUNT, REASON_block_admin, REASON_block_admin, "new"},
    {"the first that lets through", REASON_COUNT, REASON_permit_admin, REASON_permit_admin, "new"},
    {"a refusal stays", REASON_geo, REASON_block_admin, REASON_geo, "old"},
    {"also before what lets through", REASON_block_admin, REASON_permit_admin, REASON_block_admin,
     "old"},
    {"a refusal after what lets through", REASON_permit_admin, REASON_policy_recipient,
     REASON_policy_recipient, "new"},
    {"a hold after it", REASON_permit_admin, REASON_policy_sender_hold, REASON_policy_sender_hold,
     "new"},
    {"a deferral after it", REASON_permit_admin, REASON_limit_day_trusted, REASON_limit_day_trusted,
     "new"},
    {"what lets through stays before another", REASON_permit_admin, REASON_greylist_exempt,
     REASON_permit_admin, "old"},
};

static void check_shadow(void **state)
{
    const struct shadow_row *row = *state;
    struct verdict verdict = {.shadow = row->before,
                              .shadow_rule = row->before != REASON_COUNT ? OLD.id : ""};

    assert_int_equal(apply_shadow(&verdict, row->then, &NEW), OUTCOME_SHADOW);
    assert_int_equal(verdict.shadow, row->told);
    assert_string_equal(verdict.shadow_rule, row->rule);
}

static void a_step_in_shadow_names_no_policy(void **state)
{
    struct verdict verdict = {.shadow = REASON_permit_admin, .shadow_rule = "old"};

    (void)state;
    assert_int_equal(apply_shadow(&verdict, REASON_anti_spoof, NULL), OUTCOME_SHADOW);
    assert_string_equal(verdict.shadow_rule, "");
}

// ---- what is counted

static void no_more_policies_are_noted_than_there_is_room_for(void **state)
{
    static const struct policy_rule many[VERDICT_USED_MAX + 2];
    struct verdict verdict = {.used_count = 0};

    (void)state;
    chain_use(&verdict, NULL);
    assert_int_equal(verdict.used_count, 0);
    for (unsigned i = 0; i < VERDICT_USED_MAX + 2; i++)
        chain_use(&verdict, &many[i]);
    assert_int_equal(verdict.used_count, VERDICT_USED_MAX);
    assert_ptr_equal(verdict.used[VERDICT_USED_MAX - 1].rule, &many[VERDICT_USED_MAX - 1]);
}

static void a_policy_is_noted_once(void **state)
{
    static const struct policy_rule shadow = {.mode = POLICY_SHADOW};
    struct verdict verdict = {.used_count = 0};

    (void)state;
    chain_use(&verdict, &NEW);
    chain_use(&verdict, &shadow);
    chain_use(&verdict, &NEW);
    chain_use(&verdict, &shadow);
    assert_int_equal(verdict.used_count, 2);
    assert_false(verdict.used[0].in_shadow);
    assert_true(verdict.used[1].in_shadow);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, SHADOWS, check_shadow);
    TABLE_TEST(&table, a_step_in_shadow_names_no_policy);
    TABLE_TEST(&table, no_more_policies_are_noted_than_there_is_room_for);
    TABLE_TEST(&table, a_policy_is_noted_once);
    return table_run(&table, "apply");
}
