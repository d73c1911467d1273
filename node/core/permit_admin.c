// permit_admin.c: the step `permit_admin`: whom an administrator lets through: without abuse, reputation, greylisting
// and spam checks. What is about recipients and mail policies is never skipped. The most specific policy of
// kind permit decides.
//
// Promises: mail that SPF fails for is never let through by it, unless settings.auth_failure_voids says so.
#include "node/core/apply.h"
#include "node/core/near.h"

static bool permits(const struct policy_rule *rule)
{
    return rule != NULL && rule->option == POLICY_ALLOW;
}

bool permit_admin_lets(const struct chain_in *in)
{
    const struct policy_query query = chain_query(in);

    return !apply_is_voided(in) &&
           permits(policy_match(in->policy, POLICY_PERMIT, &query, POLICY_IN_FORCE));
}

static void let_through(struct verdict *out, const struct policy_rule *rule)
{
    apply_let_through(out, REASON_permit_admin);
    apply_take(out, rule);
}

static enum outcome judge(const struct chain_in *in, struct verdict *out,
                          const struct applied *found, struct text_buf *why)
{
    if (permits(found->rule)) {
        apply_say(why, in, found->rule, "permits it");
        if (!permits(found->as_if))
            text_buf_add(why, "; policy %s in shadow would not", found->as_if->id);
        let_through(out, found->rule);
        return OUTCOME_PASS;
    }
    if (found->rule != NULL)
        apply_say(why, in, found->rule, "says no action");
    else
        text_buf_put(why, "no policy permits it");
    if (!permits(found->as_if))
        return OUTCOME_PASS;
    text_buf_put(why, "; in shadow: ");
    apply_say(why, in, found->as_if, "permits it");
    return apply_shadow(out, REASON_permit_admin, found->as_if);
}

enum outcome permit_admin_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    if (out->direction != MSG_INBOUND) {
        text_buf_put(why, "not inbound");
        return OUTCOME_SKIP;
    }
    const struct applied found = apply_find(in, POLICY_PERMIT, out);

    if ((permits(found.rule) || permits(found.as_if)) && apply_is_voided(in)) {
        text_buf_put(why, "voided by SPF fail: ");
        apply_say(why, in, permits(found.rule) ? found.rule : found.as_if, "permits it");
        return OUTCOME_SKIP;
    }
    const enum outcome outcome = judge(in, out, &found, why);

    if (!permits(found.rule))
        near_say(in, &(struct near_question){POLICY_PERMIT, permits, "permit it", found.rule}, why);
    return outcome;
}
