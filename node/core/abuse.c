// abuse.c: the step `abuse`. Two things that no mail server does: trying out which recipients exist (harvest.h), for
// which a client is banned for a while; and bringing more new mail in an hour than one can mean, so that somebody would
// fill the store: that is told to come back later, and nothing of it is stored. What was counted before this Check
// decides both.
//
// Promises: a ban is looked up in this node's memory, so nobody is asked; the cap is met only by what greylisting would
// store as a first try: nobody who passed, is spared, exempt or carried, and no retry. Each of the two has its shadow.
#include "node/core/apply.h"

// ---- harvesting

static bool is_watched(const struct chain_in *in)
{
    const struct facts *facts = in->facts;
    const struct policy_settings *settings = &in->policy->settings;

    return settings->abuse.unknown_per_hour > 0 && !facts->trusted && facts->client.family != 0 &&
           spared_by(facts->spared, facts->now_ms, settings->greylist.life_ms) == NULL;
}

static void say_ban(const struct harvest_ban *ban, uint64_t now_ms, struct text_buf *why)
{
    text_buf_add(why,
                 "its client named %llu recipients that do not exist and %llu that do in an hour: "
                 "banned for ",
                 (unsigned long long)ban->count.unknown, (unsigned long long)ban->count.existing);
    text_buf_add_duration(why, ban->until_ms - ban->since_ms);
    text_buf_add(why, ", of which ");
    text_buf_add_duration(why, ban->until_ms - now_ms);
    text_buf_add(why, " are left");
}

static enum outcome judge_ban(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct harvest_ban *ban = &in->facts->ban;
    const uint64_t now_ms = in->facts->now_ms;

    if (!is_watched(in))
        return OUTCOME_PASS;
    if (!harvest_ban_holds(ban, now_ms)) {
        out->is_watched = true;
        return OUTCOME_PASS;
    }
    say_ban(ban, now_ms, why);
    out->retry_after_ms = ban->until_ms - now_ms;
    if (in->policy->settings.abuse.mode == POLICY_SHADOW) {
        text_buf_add(why, "; ");
        return apply_shadow(out, REASON_dha, NULL);
    }
    out->reason = REASON_dha;
    return OUTCOME_HIT;
}

enum harvest_word abuse_word(const struct chain_in *in, enum msg_direction direction)
{
    struct verdict scratch = {.direction = direction,
                              .reason = REASON_accept,
                              .rule = "",
                              .note = "",
                              .hold_for = "",
                              .held = {.reason = REASON_COUNT},
                              .shadow = REASON_COUNT,
                              .shadow_rule = ""};
    struct text_buf unheard;

    text_buf_init(&unheard, NULL, 0);
    const enum outcome outcome = recipient_step(in, &scratch, &unheard);

    if (outcome == OUTCOME_PASS)
        return scratch.degraded ? HARVEST_UNTOLD : HARVEST_EXISTS;
    if (outcome != OUTCOME_HIT)
        return HARVEST_UNTOLD;
    if (scratch.reason == REASON_rcpt_unknown || scratch.reason == REASON_rcpt_unknown_defer)
        return HARVEST_NOBODY;
    return scratch.reason == REASON_rcpt_sendonly ? HARVEST_EXISTS : HARVEST_UNTOLD;
}

// ---- new mail

static enum outcome judge_rate(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const unsigned long long cap = in->policy->settings.greylist.new_per_hour;

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

enum outcome abuse_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    if (out->skip_greylist) {
        text_buf_put(why, "it is let through");
        return OUTCOME_SKIP;
    }
    if (reputation_is_good(in)) {
        text_buf_put(why, "it has a good reputation");
        return OUTCOME_SKIP;
    }
    const enum outcome ban = judge_ban(in, out, why);

    if (ban == OUTCOME_HIT)
        return ban;
    const enum outcome rate = judge_rate(in, out, why);

    return rate == OUTCOME_PASS ? ban : rate;
}
