// block_admin.c: the step `block_admin`: whom an administrator has blocked, in every direction that the mail goes. The
// most specific policy of kind block decides; one with option no_action is how an address of a blocked domain
// gets in, and a policy that is not bidirectional is about its own direction alone.
#include "node/core/apply.h"

static bool blocks(const struct policy_rule *rule)
{
    return rule != NULL && rule->option == POLICY_REJECT;
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

enum outcome block_admin_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct applied found = apply_find(in, POLICY_BLOCK, out);

    if (blocks(found.rule))
        return block(in, out, &found, why);
    if (found.rule != NULL)
        apply_say(why, in, found.rule, "says no action");
    else
        text_buf_put(why, "no policy blocks it");
    if (blocks(found.as_if)) {
        text_buf_put(why, "; in shadow: ");
        apply_say(why, in, found.as_if, "blocks it");
        return apply_shadow(out, REASON_block_admin, found.as_if);
    }
    return found.rule != NULL ? OUTCOME_SKIP : OUTCOME_PASS;
}
