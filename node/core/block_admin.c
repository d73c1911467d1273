// block_admin.c: the step `block_admin`: whom an administrator has blocked, in every direction that the mail goes. The
// most specific policy of kind block decides; one with option no_action is how an address of a blocked domain
// gets in, and a policy that is not bidirectional is about its own direction alone.
#include "node/core/apply.h"
#include "node/core/near.h"

static bool blocks(const struct policy_rule *rule)
{
    return rule != NULL && rule->option == POLICY_REJECT;
}

static bool lets(const struct policy_rule *rule)
{
    return !blocks(rule);
}

static enum outcome block(const struct chain_in *in, struct verdict *out,
                          const struct applied *found, struct text_buf *why)
{
    apply_say(why, in, found->rule, "blocks it");
    if (!blocks(found->as_if))
        text_buf_add(why, "; policy %s in shadow would let it", found->as_if->id);
    apply_take(out, found->rule);
    out->reason = REASON_block_admin;
    return OUTCOME_HIT;
}

static enum outcome let(const struct chain_in *in, struct verdict *out, const struct applied *found,
                        struct text_buf *why)
{
    if (found->rule != NULL)
        apply_say(why, in, found->rule, "says no action");
    else
        text_buf_put(why, "no policy blocks it");
    if (blocks(found->as_if)) {
        text_buf_put(why, "; in shadow: ");
        apply_say(why, in, found->as_if, "blocks it");
        return apply_shadow(out, REASON_block_admin, found->as_if);
    }
    return found->rule != NULL ? OUTCOME_SKIP : OUTCOME_PASS;
}

enum outcome block_admin_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct applied found = apply_find(in, POLICY_BLOCK, out);
    const bool is_blocked = blocks(found.rule);
    const struct near_question near = {POLICY_BLOCK, is_blocked ? lets : blocks,
                                       is_blocked ? "let it" : "block it", found.rule};
    const enum outcome outcome =
        is_blocked ? block(in, out, &found, why) : let(in, out, &found, why);

    near_say(in, &near, why);
    return outcome;
}
