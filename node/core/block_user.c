// block_user.c: the step `block_user`: whom the recipient's own list blocks. Inside one list the most specific entry that
// holds decides, so a permit there may let an address of a blocked domain in; what an administrator blocks was
// refused before.
//
// Promises: nobody is blocked by what the store did not say.
#include "node/core/apply.h"
#include "node/core/near.h"

static enum outcome block(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct person_list *list = &chain_person(in)->list;

    out->reason = REASON_block_user;
    out->rule = in->facts->patterns.of[list->pattern].text;
    out->note = list->note;
    text_buf_add(why, "the recipient's own list blocks %s", out->rule);
    near_say_list(in, PERSON_PERMIT, why);
    return OUTCOME_HIT;
}

enum outcome block_user_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct person_list *list = &chain_person(in)->list;

    if (out->direction != MSG_INBOUND) {
        text_buf_put(why, "not inbound");
        return OUTCOME_SKIP;
    }
    if (!in->policy->settings.personal_lists) {
        text_buf_put(why, "personal_lists is false");
        return OUTCOME_SKIP;
    }
    if (list->state == FACT_UNKNOWN) {
        out->degraded = true;
        text_buf_put(why, "not known what the recipient's own list says: the store did not say");
        return OUTCOME_PASS;
    }
    if (list->action == PERSON_PERMIT) {
        text_buf_add(why, "the recipient's own list permits %s",
                     in->facts->patterns.of[list->pattern].text);
        near_say_list(in, PERSON_BLOCK, why);
        return OUTCOME_SKIP;
    }
    if (list->action == PERSON_NONE) {
        text_buf_put(why, "the recipient's own list does not name the sender");
        near_say_list(in, PERSON_BLOCK, why);
        return OUTCOME_PASS;
    }
    if (in->policy->settings.admin_permit_over_user_block && permit_admin_lets(in)) {
        text_buf_put(why, "the recipient's own list blocks it, but an administrator permits it");
        return OUTCOME_SKIP;
    }
    return block(in, out, why);
}
