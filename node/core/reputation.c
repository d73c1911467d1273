// reputation.c: the step `reputation`: what its address and its sender's domain have sent so far (reputation.h), and what DNS
// lists say of them. Whoever sends nothing but spam is refused, who nearly does waits longer in greylisting, and who is
// known to be good does not wait.
//
//      p     0 ............ .10 ............ .60 .................. .97 .... 1
//              skip_greylist      greylist        greylist_long       reject
//
// Promises: nobody is refused by what others of his network did alone: it needs evidence of its own, and where several
// gateways report two of them; nothing is decided by what was not read; a list that did not answer names nobody. While
// too little was reported the local score is in shadow, DNS lists are not.
#include "node/core/apply.h"

// ---- the local score

// What decides, of the local score: false, it only tells.
static bool score_is_enforced(const struct chain_in *in)
{
    const int mode = in->policy->settings.reputation.mode;

    return mode == POLICY_REPUTATION_ENFORCE ||
           (mode == POLICY_REPUTATION_AUTO && in->facts->reputation_is_warm);
}

static bool is_known(const struct chain_in *in)
{
    return in->facts->judged != NULL && in->facts->judged->is_known;
}

// The level of the address itself; NULL: nothing is kept of it.
static const struct reputation_state *address_of(const struct chain_in *in)
{
    const struct reputation_level *leaf = &in->facts->reputation->level[REPUTATION_IP];

    return leaf->state == FACT_PRESENT ? &leaf->is : NULL;
}

// Reports of it came on two days or more.
static bool is_of_two_days(const struct reputation_state *state)
{
    return state != NULL && state->at_s / (24 * 3600) > state->first_day;
}

static bool has_evidence(const struct chain_in *in)
{
    const struct reputation_result *judged = in->facts->judged;

    return (judged->n_ip >= REPUTATION_OWN_IP || judged->n_net >= REPUTATION_OWN_NET) &&
           (in->facts->reporters.active < 2 || judged->reporters >= 2);
}

static bool surges(const struct chain_in *in)
{
    const struct reputation_state *state = address_of(in);

    return state != NULL && reputation_surges(state, in->facts->judged->p, in->facts->now_ms,
                                              in->policy->settings.reputation.surge_mails,
                                              in->policy->settings.reputation.surge_ratio);
}

enum reputation_band reputation_band(const struct chain_in *in)
{
    const struct reputation_result *judged = in->facts->judged;

    if (!is_known(in))
        return REPUTATION_NO_BAND;
    const double p = judged->p;

    if (p >= in->policy->settings.reputation.reject_p &&
        judged->lower >= in->policy->settings.reputation.reject_lower && has_evidence(in))
        return REPUTATION_REJECT;
    if (p >= in->policy->settings.reputation.long_p)
        return REPUTATION_LONG;
    if (p < in->policy->settings.reputation.skip_p &&
        judged->upper < in->policy->settings.reputation.skip_upper &&
        judged->n_ip >= in->policy->settings.reputation.skip_evidence &&
        is_of_two_days(address_of(in)) && !surges(in))
        return REPUTATION_SKIP;
    return REPUTATION_NORMAL;
}

const char *reputation_band_text(enum reputation_band band)
{
    static const char *const words[] = {"", "skip_greylist", "greylist", "greylist_long", "reject"};

    return words[band];
}

bool reputation_surge_holds(const struct chain_in *in)
{
    return is_known(in) && score_is_enforced(in) && surges(in);
}

uint64_t reputation_delay_ms(const struct chain_in *in)
{
    const uint64_t delay_ms = in->policy->settings.greylist.delay_ms;
    const uint64_t long_ms = in->policy->settings.reputation.long_delay_ms;
    const bool is_long = score_is_enforced(in) && reputation_band(in) >= REPUTATION_LONG;

    return is_long && long_ms > delay_ms ? long_ms : delay_ms;
}

// ---- DNS lists

struct listing {
    double enforced, all;                        // weights of bad lists: of those in force, of all
    const struct policy_dns_list *named, *as_if; // the heaviest of each
    const struct policy_dns_list *good;          // in force; NULL = none names it
    const struct policy_dns_list *good_as_if;
    unsigned silent;
};

static void weigh(const struct policy_dns_list *list, struct listing *found)
{
    if (list->mode == POLICY_ENFORCE) {
        found->enforced += list->weight;
        if (found->named == NULL || list->weight > found->named->weight)
            found->named = list;
    }
    found->all += list->weight;
    if (found->as_if == NULL || list->weight > found->as_if->weight)
        found->as_if = list;
}

static struct listing look_at_lists(const struct chain_in *in)
{
    struct listing found = {0};

    for (size_t i = 0; in->facts->lists != NULL && i < in->policy->settings.reputation.list_count;
         i++) {
        const struct policy_dns_list *list = &in->policy->settings.reputation.list[i];
        const enum facts_listed said = in->facts->lists[i].said;

        found.silent += said == FACTS_LIST_SILENT;
        if (said != FACTS_LIST_HIT)
            continue;
        if (!list->is_good) {
            weigh(list, &found);
            continue;
        }
        if (found.good_as_if == NULL)
            found.good_as_if = list;
        if (found.good == NULL && list->mode == POLICY_ENFORCE)
            found.good = list;
    }
    return found;
}

static void say_lists(const struct chain_in *in, const struct listing *found, struct text_buf *why)
{
    const char *before = "listed by ";

    for (size_t i = 0; in->facts->lists != NULL && i < in->policy->settings.reputation.list_count;
         i++) {
        const uint32_t code = in->facts->lists[i].code;

        if (in->facts->lists[i].said != FACTS_LIST_HIT)
            continue;
        text_buf_add(why, "%s%s%s (%u.%u.%u.%u)", before,
                     in->policy->settings.reputation.list[i].is_good ? "the good " : "",
                     in->policy->settings.reputation.list[i].zone, (unsigned)(code >> 24),
                     (unsigned)(code >> 16 & 255), (unsigned)(code >> 8 & 255),
                     (unsigned)(code & 255));
        before = ", ";
    }
    if (found->as_if != NULL)
        text_buf_add(why, ", which weigh %g of %g", found->all,
                     in->policy->settings.reputation.dns_threshold);
    if (found->silent > 0)
        text_buf_add(why, "%s%u of the lists did not answer in time", before[0] == ',' ? "; " : "",
                     found->silent);
    if (before[0] == ',' || found->silent > 0)
        text_buf_put(why, "; ");
}

static bool is_over(const struct chain_in *in, double weight)
{
    const double threshold = in->policy->settings.reputation.dns_threshold;
    const double half = 0.5e-6; // of the last decimal that a weight has: .1 and .2 and .7 are 1

    return threshold > 0 && weight > threshold - half;
}

bool reputation_is_good(const struct chain_in *in)
{
    const struct listing found = look_at_lists(in);

    if (in->policy->settings.reputation.mode == POLICY_REPUTATION_SHADOW)
        return false;
    return found.good != NULL || (score_is_enforced(in) && reputation_band(in) == REPUTATION_SKIP);
}

// ---- what becomes of it

// What would be refused is deferred first: until it comes again after so long.
static enum outcome defer_first(const struct chain_in *in, struct verdict *out, bool in_shadow,
                                struct text_buf *why)
{
    const uint64_t long_ms = in->policy->settings.reputation.long_delay_ms;
    uint64_t age_ms = 0;
    bool own = false;

    if (!in->recipient->grey.pending_asked && in->recipient->triplet.identity_count > 0) {
        out->changes.want_pending = true;
        return OUTCOME_WAIT;
    }
    if (!greylist_tried(in, &age_ms, &own) || (!own && age_ms >= long_ms))
        return OUTCOME_PASS;
    out->retry_after_ms = age_ms < long_ms ? long_ms - age_ms : 0;
    out->first_seen_ms = in->facts->now_ms - age_ms;
    out->is_new = own;
    text_buf_put(why, "; deferred first: refused if it comes again in ");
    text_buf_add_duration(why, (out->retry_after_ms + 999) / 1000 * 1000);
    if (in_shadow)
        return apply_shadow(out, REASON_reputation_defer, NULL);
    out->reason = REASON_reputation_defer;
    return OUTCOME_HIT;
}

static enum outcome refuse(const struct chain_in *in, struct verdict *out, enum reason reason,
                           bool in_shadow, struct text_buf *why)
{
    if (in->policy->settings.reputation.two_step) {
        const enum outcome first = defer_first(in, out, in_shadow, why);

        if (first != OUTCOME_PASS)
            return first;
    }
    if (in_shadow)
        return apply_shadow(out, reason, NULL);
    out->reason = reason;
    return OUTCOME_HIT;
}

static enum outcome judge_lists(const struct chain_in *in, struct verdict *out,
                                const struct listing *found, struct text_buf *why)
{
    const bool in_shadow = in->policy->settings.reputation.mode == POLICY_REPUTATION_SHADOW ||
                           !is_over(in, found->enforced);

    if (found->good != NULL || !is_over(in, found->all))
        return OUTCOME_PASS;
    if (!in_shadow)
        out->rule = found->named->zone;
    return refuse(in, out, REASON_reputation_list, in_shadow, why);
}

static void say_score(const struct chain_in *in, struct text_buf *why)
{
    const struct reputation_result *judged = in->facts->judged;

    text_buf_add(why, "p %.4f, %.2f to %.2f (address %.4f", judged->p, judged->lower, judged->upper,
                 judged->address);
    if (judged->has_sender)
        text_buf_add(why, ", sender %.4f times %g", judged->sender, judged->trust_sender);
    text_buf_add(why, "); reports of the address %.1f, of its network %.1f, by %u: %s",
                 judged->n_ip, judged->n_net, judged->reporters,
                 reputation_band_text(reputation_band(in)));
    if (surges(in))
        text_buf_put(why, ", and it suddenly sends much more than before");
}

static enum outcome judge_score(const struct chain_in *in, struct verdict *out,
                                struct text_buf *why)
{
    const bool in_shadow = !score_is_enforced(in);
    const enum reputation_band band = reputation_band(in);

    if (in->facts->judged == NULL) {
        text_buf_put(why, "nothing was reported yet");
        return OUTCOME_PASS;
    }
    if (!is_known(in)) {
        out->degraded |= !in_shadow;
        text_buf_put(why, "not known what it sent before: the store did not say");
        return OUTCOME_PASS;
    }
    say_score(in, why);
    if (in_shadow && in->policy->settings.reputation.mode == POLICY_REPUTATION_AUTO)
        text_buf_put(why, "; in shadow until more was reported of both classes");
    if (band == REPUTATION_REJECT)
        return refuse(in, out, REASON_reputation, in_shadow, why);
    if (band == REPUTATION_SKIP && !in_shadow)
        out->skip_greylist = true;
    return OUTCOME_PASS;
}

static void let_good(const struct chain_in *in, const struct listing *found, struct verdict *out)
{
    if (found->good == NULL || in->policy->settings.reputation.mode == POLICY_REPUTATION_SHADOW)
        return;
    out->skip_greylist = true;
    out->skip_spam = true;
}

// Why this mail is none that it is about; NULL if it is.
static const char *why_not_ours(const struct chain_in *in, const struct verdict *so_far)
{
    if (in->facts->trusted)
        return "trusted source";
    if (so_far->direction != MSG_INBOUND)
        return "not inbound";
    if (so_far->skip_reputation)
        return "it is let through";
    if (in->facts->client.family == 0)
        return "the client's address is not known";
    if (in->policy->settings.reputation.mode == POLICY_REPUTATION_OFF && in->facts->lists == NULL)
        return "reputation.mode is off, and there are no lists";
    return NULL;
}

enum outcome reputation_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const char *not_ours = why_not_ours(in, out);

    if (not_ours != NULL) {
        text_buf_put(why, not_ours);
        return OUTCOME_SKIP;
    }
    const struct listing found = look_at_lists(in);

    say_lists(in, &found, why);
    let_good(in, &found, out);
    const enum outcome listed = judge_lists(in, out, &found, why);

    if (listed == OUTCOME_HIT || listed == OUTCOME_WAIT)
        return listed;
    const enum outcome scored = judge_score(in, out, why);

    return scored == OUTCOME_PASS ? listed : scored;
}
