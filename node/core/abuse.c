// abuse.c: the step `abuse`: a network that brings more new mail in an hour than a mail server does is told
// to come back later, and nothing of it is stored, so that nobody fills the store. What was counted before
// this Check decides.
//
// Promises: it is met only by what greylisting would store as a first try: nobody who passed, is spared,
// exempt or carried, and no retry. In shadow where greylisting is. What the store did not say is
// greylisting's affair.
#include "node/core/chain.h"

enum outcome abuse_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const unsigned long long cap = in->policy->settings.greylist.new_per_hour;

    if (out->skip_greylist) {
        text_buf_put(why, "a policy lets it through");
        return OUTCOME_SKIP;
    }
    if (!in->facts->over_rate) {
        text_buf_add(why, "new mail of this network is below its cap");
        return OUTCOME_PASS;
    }
    if (!greylist_is_first_try(in)) {
        text_buf_add(why, "its network is over the cap of %llu an hour, but this is no new mail",
                     cap);
        return OUTCOME_PASS;
    }
    out->retry_after_ms = ABUSE_HOUR_MS - in->facts->now_ms % ABUSE_HOUR_MS;
    text_buf_add(
        why, "its network has brought %llu new pairs of sender and recipient in this hour%s", cap,
        in->facts->client.family == 6 ? ", or the /48 around it eight times as many" : "");
    return greylist_defer(in, out, REASON_rate);
}
