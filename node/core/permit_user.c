// permit_user.c: the step `permit_user`: whom the recipient's own list lets through, as an administrator's permit does.
#include "node/core/apply.h"
#include "node/core/near.h"

enum outcome permit_user_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct person_list *list = &chain_person(in)->list;
    const char *pattern =
        list->action != PERSON_NONE ? in->facts->patterns.of[list->pattern].text : "";

    if (out->direction != MSG_INBOUND) {
        text_buf_put(why, "not inbound");
        return OUTCOME_SKIP;
    }
    if (!in->policy->settings.personal_lists) {
        text_buf_put(why, "personal_lists is false");
        return OUTCOME_SKIP;
    }
    if (list->state == FACT_UNKNOWN) {
        text_buf_put(why, "not known what the recipient's own list says: the store did not say");
        return OUTCOME_PASS;
    }
    if (list->action != PERSON_PERMIT) {
        text_buf_put(why, "the recipient's own list does not permit the sender");
        near_say_list(in, PERSON_PERMIT, why);
        return OUTCOME_PASS;
    }
    if (apply_is_voided(in)) {
        text_buf_add(why, "voided by SPF fail: the recipient's own list permits %s", pattern);
        return OUTCOME_SKIP;
    }
    if (out->reason == REASON_accept) {
        out->rule = pattern;
        out->note = list->note;
    }
    apply_let_through(out, REASON_permit_user);
    text_buf_add(why, "the recipient's own list permits %s", pattern);
    return OUTCOME_PASS;
}
