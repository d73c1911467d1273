// auto_allow.c: the step `auto_allow`: mail from somebody to whom the recipient has written lately is let through. With
// settings.auto_allow.scope org it is enough that anybody of the organisation has.
//
// Promises: an entry that was taken back lets nothing through until the recipient writes again; what the
// store did not say lets nothing through.
#include "node/core/apply.h"

static enum outcome skip(struct text_buf *why, const char *what)
{
    text_buf_put(why, what);
    return OUTCOME_SKIP;
}

// The entry that holds, or NULL.
static const struct person_allow *holding(const struct chain_in *in)
{
    const struct person_allow *allow = chain_person(in)->allow;

    for (unsigned i = 0; i < PERSON_OWNERS; i++)
        if (person_allow_holds(&allow[i], in->facts->now_ms,
                               in->policy->settings.auto_allow.life_ms))
            return &allow[i];
    return NULL;
}

static bool is_unknown(const struct person_allow allow[PERSON_OWNERS], int scope)
{
    return allow[PERSON_OWN].state == FACT_UNKNOWN ||
           (scope == POLICY_SCOPE_ORG && allow[PERSON_ORG].state == FACT_UNKNOWN);
}

static void say_nobody(const struct chain_in *in, struct text_buf *why)
{
    const struct person_allow *own = &chain_person(in)->allow[PERSON_OWN];

    if (own->state != FACT_PRESENT || in->facts->now_ms < own->sent_ms) {
        text_buf_put(why, "the recipient has not written to the sender");
        return;
    }
    text_buf_put(why, "the recipient has last written to the sender ");
    text_buf_add_duration(why, in->facts->now_ms - own->sent_ms);
    text_buf_put(why, " ago, too long for it to count");
}

enum outcome auto_allow_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct person_allow *allow = chain_person(in)->allow;

    if (out->direction != MSG_INBOUND)
        return skip(why, "not inbound");
    if (in->policy->settings.auto_allow.scope == POLICY_SCOPE_OFF)
        return skip(why, "auto_allow.scope is off");
    if (in->facts->external[0] == '\0')
        return skip(why, "nobody can have written to this sender");
    if (apply_is_voided(in))
        return skip(why, "voided by SPF fail");
    if (person_allow_is_disabled(&allow[PERSON_OWN]) ||
        person_allow_is_disabled(&allow[PERSON_ORG]))
        return skip(why, "the recipient has written to the sender, but that was disabled since");
    const struct person_allow *found = holding(in);

    if (found == NULL && is_unknown(allow, in->policy->settings.auto_allow.scope)) {
        out->degraded |= !out->skip_greylist;
        text_buf_put(why, "not known whether the recipient has written to the sender: the store "
                          "did not say");
        return OUTCOME_PASS;
    }
    if (found == NULL) {
        say_nobody(in, why);
        return OUTCOME_PASS;
    }
    text_buf_put(why, found == &allow[PERSON_OWN] ? "the recipient has written to the sender "
                                                  : "somebody here has written to the sender ");
    text_buf_add_duration(
        why, in->facts->now_ms > found->sent_ms ? in->facts->now_ms - found->sent_ms : 0);
    text_buf_put(why, " ago");
    apply_let_through(out, REASON_auto_allow);
    return OUTCOME_PASS;
}
