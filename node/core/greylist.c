// greylist.c: the step `greylist`: a first try is deferred, an honest retry passes, and what passed
// once is known.
//
//      now - first seen:   0 ........ delay ............ window ......
//                            early            pass            new again
//      now - last accept:  0 ............................ life ......
//                                     known                    new again
//
// First seen is the earliest first try that lies inside the window. Every bound is inclusive: at
// exactly the window and at exactly the life an entry still holds; at exactly the delay a retry
// passes.
//
// Promises: a deferral rests on a first try that the store holds (its answer to the read-back), or,
// where one whose window is over stood in its place, on a store that took writes just before; in a
// dry run on the store's answer that it holds none. What the store did not say lets the mail pass,
// unless settings.fail says defer. Source: RFC 6647, in particular 2.2, 3 and 5.
#include "node/core/apply.h"
#include "node/core/near.h"

#include <string.h>

static bool is_exempt_name(const struct mail_address *recipient)
{
    return strcmp(recipient->base, "postmaster") == 0 || strcmp(recipient->base, "abuse") == 0;
}

// Why this mail is none that greylisting is about; NULL if it is.
static const char *why_not_ours(const struct chain_in *in, const struct verdict *so_far)
{
    if (in->facts->trusted)
        return "trusted source";
    if (so_far->direction != MSG_INBOUND)
        return "not inbound";
    if (so_far->skip_greylist)
        return "it is let through";
    if (in->facts->client.family == 0)
        return "the client's address is not known";
    return NULL;
}

static const struct policy_rule *exempting_rule(const struct chain_in *in, enum policy_view view)
{
    const struct policy_query query = chain_query(in);

    return policy_match(in->policy, POLICY_GREYLIST, &query, view);
}

// Somebody said that mail comes for this recipient, and that it must not wait (a login code).
static bool is_expected(const struct chain_in *in)
{
    return in->recipient->expected_ms != 0 && in->facts->now_ms <= in->recipient->expected_ms;
}

bool greylist_is_due(const struct chain_in *in, const struct verdict *so_far)
{
    return why_not_ours(in, so_far) == NULL && in->facts->clock_ok &&
           !is_exempt_name(&in->recipient->address) &&
           exempting_rule(in, POLICY_IN_FORCE) == NULL && !is_expected(in);
}

// ---- verdicts

static void accept_as(struct verdict *out, enum reason reason)
{
    if (out->reason == REASON_accept) // the first step that let it through gives the reason
        out->reason = reason;
}

enum outcome greylist_defer(const struct chain_in *in, struct verdict *out, enum reason reason)
{
    out->greylisted = true;
    if (in->policy->settings.greylist.mode == POLICY_SHADOW) {
        if (out->shadow ==
            REASON_COUNT) // else what is in shadow would have refused it, or let it through, before
            out->shadow = reason;
        return OUTCOME_SHADOW;
    }
    out->reason = reason;
    return OUTCOME_HIT;
}

// The store did not say: settings.fail decides.
static enum outcome judge_silence(const struct chain_in *in, struct verdict *out,
                                  struct text_buf *why)
{
    out->degraded = true;
    text_buf_add(why, "not known whether it was seen before: the store did not say");
    if (in->policy->settings.fail == POLICY_FAIL_DEFER)
        return greylist_defer(in, out, REASON_store_down);
    accept_as(out, REASON_degraded);
    return OUTCOME_PASS;
}

// The store's clock cannot be trusted, so no age can be told: it passes whatever settings.fail
// says, because waiting mends nothing.
static enum outcome judge_without_clock(struct verdict *out, const char *what, struct text_buf *why)
{
    out->degraded = true;
    out->degraded_why = what;
    text_buf_add(why, "no age can be told: %s", what);
    accept_as(out, REASON_degraded);
    return OUTCOME_PASS;
}

static enum outcome exempt(struct verdict *out, const struct policy_rule *rule,
                           struct text_buf *why)
{
    accept_as(out, REASON_greylist_exempt);
    out->skip_greylist = true;
    if (rule == NULL) {
        text_buf_add(why, "postmaster and abuse are never greylisted");
        return OUTCOME_PASS;
    }
    out->rule = rule->id;
    out->note = rule->note;
    text_buf_add(why, "policy %s exempts it (%s:%u)", rule->id, rule->file, rule->line);
    return OUTCOME_PASS;
}

static enum outcome exempt_expected(const struct chain_in *in, struct verdict *out,
                                    struct text_buf *why)
{
    accept_as(out, REASON_greylist_exempt);
    out->skip_greylist = true;
    out->rule = "expect";
    text_buf_add(why, "mail is expected for this recipient for another ");
    text_buf_add_duration(why, in->recipient->expected_ms - in->facts->now_ms);
    text_buf_add(why, " (`reevectl expect`)");
    return OUTCOME_PASS;
}

// ---- what passed before

struct passed {
    const struct fact_stamp *newest; // that still holds; NULL = none
    bool unknown;                    // something could not be read
    bool own;                        // this very transaction made it pass
    bool by_client;                  // by what this client did, not only for any client
    bool stale; // an identity of this request has no entry of today in the current slice
};

static bool still_holds(const struct chain_in *in, const struct fact_stamp *stamp)
{
    uint64_t now_ms = in->facts->now_ms;

    return stamp->at_ms >= now_ms || now_ms - stamp->at_ms <= in->policy->settings.greylist.life_ms;
}

static void look_at_passed(const struct chain_in *in, const struct fact_stamp *stamp,
                           struct passed *found)
{
    if (stamp->state != FACT_PRESENT || !still_holds(in, stamp))
        return;
    if (found->newest == NULL || stamp->at_ms > found->newest->at_ms)
        found->newest = stamp;
    if (stamp->mark == in->recipient->mark)
        found->own = true;
}

static bool is_of_today(const struct chain_in *in, const struct fact_stamp *stamp)
{
    return stamp->state == FACT_PRESENT && stamp->at_ms + GREYLIST_REFRESH_MS > in->facts->now_ms;
}

static bool holds_for(const struct chain_in *in, unsigned identity)
{
    const struct grey_facts *grey = &in->recipient->grey;

    for (unsigned age = KEY_CURRENT; age <= KEY_PREVIOUS; age++) {
        const struct fact_stamp *stamp = &grey->passed[age][identity];

        if (stamp->state == FACT_PRESENT && still_holds(in, stamp))
            return true;
    }
    return false;
}

// The slice before is read with the first try: until then it is not missing.
static bool is_missing(const struct grey_facts *grey, unsigned identity)
{
    return grey->passed[KEY_CURRENT][identity].state == FACT_UNKNOWN ||
           (grey->pending_asked && grey->passed[KEY_PREVIOUS][identity].state == FACT_UNKNOWN);
}

static struct passed find_passed(const struct chain_in *in)
{
    const struct grey_facts *grey = &in->recipient->grey;
    struct passed found = {0};

    for (unsigned i = 0; i < in->recipient->triplet.identity_count; i++) {
        if (is_missing(grey, i))
            found.unknown = true;
        look_at_passed(in, &grey->passed[KEY_CURRENT][i], &found);
        look_at_passed(in, &grey->passed[KEY_PREVIOUS][i], &found);
        if (in->recipient->triplet.identity[i].kind != KEY_ANY && holds_for(in, i))
            found.by_client = true;
        if (in->recipient->triplet.identity[i].kind != KEY_ANY &&
            !is_of_today(in, &grey->passed[KEY_CURRENT][i]))
            found.stale = true;
    }
    if (in->recipient->triplet.identity_count == 0)
        found.unknown = true; // no key could be named
    return found;
}

static enum outcome judge_passed(const struct chain_in *in, struct verdict *out,
                                 const struct passed *found, struct text_buf *why)
{
    uint64_t now_ms = in->facts->now_ms;
    uint64_t age_ms = now_ms > found->newest->at_ms ? now_ms - found->newest->at_ms : 0;

    accept_as(out, found->own ? REASON_greylist_pass : REASON_greylist_known);
    out->changes.write_passed = found->stale && !in->facts->dry_run;
    out->changes.passed_mark = found->own ? in->recipient->mark : 0;
    out->carries = found->by_client && !found->own;
    text_buf_add(why, found->own ? "this transaction made it pass "
                                 : "it passed before; last accepted ");
    text_buf_add_duration(why, age_ms);
    text_buf_add(why, " ago");
    return OUTCOME_PASS;
}

// Another recipient of the transaction is known: some senders never come back for the rest. It is known
// itself from now on, unless its network has brought so many already that it would fill the store.
static enum outcome judge_carried(const struct chain_in *in, struct verdict *out,
                                  struct text_buf *why)
{
    accept_as(out, REASON_greylist_known);
    out->is_carried = true;
    out->changes.write_passed = !in->facts->dry_run && !in->facts->over_carried;
    out->changes.passed_mark = 0;
    text_buf_add(why, "another recipient of this transaction is known (carried)%s",
                 in->facts->over_carried ? "; its network is over the cap, so this is not stored"
                                         : "");
    return OUTCOME_PASS;
}

// ---- who needs no test any more

static enum outcome judge_spared(struct verdict *out, const struct spared_id *client,
                                 struct text_buf *why)
{
    accept_as(out, REASON_greylist_spared);
    text_buf_add(why, "the client made %d or more different pairs pass on %d or more days (%s)",
                 SPARED_NEEDS_PAIRS, SPARED_NEEDS_DAYS, client->name);
    return OUTCOME_PASS;
}

static const struct spared_id *who_is_spared(const struct chain_in *in)
{
    return spared_by(in->facts->spared, in->facts->now_ms, in->policy->settings.greylist.life_ms);
}

// ---- what was tried before

struct pending {
    const struct fact_stamp *first; // the earliest inside the window; NULL = none
    bool unknown;                   // something could not be read
    bool future;   // a stamp that lies ahead of the clock by more than GREYLIST_FUTURE_MS
    bool outlived; // one whose window is over stands in the current slice, where this try belongs
};

// An early retry copied a first try of the slice before into this one (needs_alignment), so its
// window can be over before the slice is.
static bool is_outlived(const struct chain_in *in, const struct fact_stamp *stamp)
{
    uint64_t now_ms = in->facts->now_ms;

    return stamp->state == FACT_PRESENT && stamp->at_ms <= now_ms &&
           now_ms - stamp->at_ms > in->policy->settings.greylist.window_ms;
}

static void look_at_pending(const struct chain_in *in, const struct fact_stamp *stamp,
                            struct pending *found)
{
    if (stamp->state == FACT_UNKNOWN)
        found->unknown = true;
    if (stamp->state != FACT_PRESENT || is_outlived(in, stamp))
        return;
    if (stamp->at_ms > in->facts->now_ms + GREYLIST_FUTURE_MS)
        found->future = true;
    else if (found->first == NULL || stamp->at_ms < found->first->at_ms)
        found->first = stamp;
}

static struct pending find_pending(const struct chain_in *in)
{
    const struct grey_facts *grey = &in->recipient->grey;
    struct pending found = {0};

    for (unsigned i = 0; i < in->recipient->triplet.identity_count; i++) {
        look_at_pending(in, &grey->pending[KEY_CURRENT][i], &found);
        look_at_pending(in, &grey->pending[KEY_PREVIOUS][i], &found);
        found.outlived = found.outlived || is_outlived(in, &grey->pending[KEY_CURRENT][i]);
    }
    return found;
}

// Early retries change nothing: the current slice's copy of an entry must not be younger than the
// first try it stands for, nor be one that is over.
static bool needs_alignment(const struct chain_in *in, const struct fact_stamp *first)
{
    const struct grey_facts *grey = &in->recipient->grey;

    for (unsigned i = 0; i < in->recipient->triplet.identity_count; i++) {
        const struct fact_stamp *stamp = &grey->pending[KEY_CURRENT][i];

        if (stamp->state == FACT_PRESENT && (stamp->at_ms > first->at_ms || is_outlived(in, stamp)))
            return true;
    }
    return false;
}

static enum outcome pass_retry(const struct chain_in *in, struct verdict *out, uint64_t age_ms,
                               struct text_buf *why)
{
    accept_as(out, REASON_greylist_pass);
    out->waited_ms = age_ms;
    out->changes.write_passed = !in->facts->dry_run;
    out->changes.passed_mark = in->recipient->mark;
    text_buf_add(why, "first tried ");
    text_buf_add_duration(why, age_ms);
    text_buf_add(why, " ago, which is inside the window");
    return OUTCOME_PASS;
}

// Asked again about one (transaction, recipient): the same answer.
static bool is_own_try(const struct chain_in *in, const struct fact_stamp *first)
{
    return first->mark == in->recipient->mark &&
           first->at_ms + GREYLIST_TRANSACTION_MS >= in->facts->now_ms;
}

static enum outcome defer_try(const struct chain_in *in, struct verdict *out,
                              const struct fact_stamp *first, struct text_buf *why)
{
    const uint64_t delay_ms = reputation_delay_ms(in);
    uint64_t age_ms = in->facts->now_ms > first->at_ms ? in->facts->now_ms - first->at_ms : 0;
    bool own = is_own_try(in, first);

    out->is_new = own;
    out->retry_after_ms = age_ms < delay_ms ? delay_ms - age_ms : 0;
    out->changes.align_pending = needs_alignment(in, first) && !in->facts->dry_run;
    out->changes.earliest_ms = first->at_ms;
    out->changes.earliest_mark = first->mark;
    text_buf_add(why, own ? "first try of this sender, recipient and client; a retry passes in "
                          : "first tried ");
    if (!own) {
        text_buf_add_duration(why, age_ms);
        text_buf_add(why, " ago; a retry passes in ");
    }
    text_buf_add_duration(why, (out->retry_after_ms + 999) / 1000 *
                                   1000); // whole seconds, as the reply says
    return greylist_defer(in, out, own ? REASON_greylist_new : REASON_greylist_early);
}

static bool is_ripe(const struct chain_in *in, const struct fact_stamp *first)
{
    return first->at_ms + reputation_delay_ms(in) <= in->facts->now_ms && !is_own_try(in, first);
}

static enum outcome judge_first(const struct chain_in *in, struct verdict *out,
                                const struct fact_stamp *first, struct text_buf *why)
{
    out->first_seen_ms = first->at_ms;
    if (is_ripe(in, first))
        return pass_retry(in, out, in->facts->now_ms - first->at_ms, why);
    return defer_try(in, out, first, why);
}

static enum outcome judge_pending(const struct chain_in *in, struct verdict *out,
                                  struct text_buf *why)
{
    const struct grey_facts *grey = &in->recipient->grey;
    const struct pending found = find_pending(in);
    const struct fact_stamp would_be_first = {FACT_PRESENT, in->facts->now_ms, in->recipient->mark};

    if (found.first != NULL && (is_ripe(in, found.first) || !found.unknown))
        return judge_first(in, out, found.first, why);
    if (found.future)
        return judge_without_clock(out, "a first try lies in the future of the store's clock", why);
    if (!found.unknown && (in->facts->dry_run || (found.outlived && !grey->refused)))
        return judge_first(in, out, &would_be_first, why);
    return judge_silence(in, out, why); // not read, or the write was refused
}

bool greylist_tried(const struct chain_in *in, uint64_t *age_ms, bool *own)
{
    const struct pending found = find_pending(in);
    const struct fact_stamp would_be_first = {FACT_PRESENT, in->facts->now_ms, in->recipient->mark};
    const struct fact_stamp *first = found.first;

    if (first == NULL && in->facts->dry_run && in->recipient->grey.pending_asked && !found.unknown)
        first = &would_be_first;
    if (first == NULL)
        return false;
    *age_ms = in->facts->now_ms > first->at_ms ? in->facts->now_ms - first->at_ms : 0;
    *own = is_own_try(in, first);
    return true;
}

// ---- the step

bool greylist_is_first_try(const struct chain_in *in)
{
    if (in->facts->carried)
        return false;
    const struct passed passed = find_passed(in);
    const struct pending pending = find_pending(in);

    return passed.newest == NULL && !passed.unknown && pending.first == NULL && !pending.unknown &&
           !pending.future;
}

static enum outcome judge(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct passed passed = find_passed(in);
    const struct spared_id *spared = who_is_spared(in);

    if (!in->facts->clock_ok)
        return judge_without_clock(out, "the store's clock jumped; see `reevectl clock show`", why);
    if (passed.newest != NULL)
        return judge_passed(in, out, &passed, why);
    if (in->facts->carried && in->facts->keys_known)
        return judge_carried(in, out, why);
    if (spared != NULL && !reputation_surge_holds(in))
        return judge_spared(out, spared, why);
    if (!in->facts->keys_known || passed.unknown)
        return judge_silence(in, out, why);
    if (!in->recipient->grey.pending_asked) {
        out->changes.want_pending = true;
        return OUTCOME_WAIT;
    }
    return judge_pending(in, out, why);
}

static bool exempts(const struct policy_rule *rule)
{
    return rule->option == POLICY_NO_ACTION;
}

enum outcome greylist_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const char *not_ours = why_not_ours(in, out);
    const struct policy_rule *rule = not_ours == NULL ? exempting_rule(in, POLICY_IN_FORCE) : NULL;
    const struct policy_rule *shadow =
        not_ours == NULL && apply_has_shadow(in->policy, POLICY_GREYLIST)
            ? exempting_rule(in, POLICY_AS_IF)
            : NULL;
    enum outcome outcome;

    if (not_ours != NULL) {
        text_buf_add(why, "%s", not_ours);
        return OUTCOME_SKIP;
    }
    if (out->greylisted) {
        text_buf_add(why, "nothing was stored, because abuse would have decided");
        return OUTCOME_SKIP;
    }
    chain_use(out, rule);
    if (is_exempt_name(&in->recipient->address) || rule != NULL)
        return exempt(out, rule, why);
    if (is_expected(in))
        return exempt_expected(in, out, why);
    if (shadow != NULL && shadow->mode == POLICY_SHADOW) {
        chain_use(out, shadow);
        text_buf_add(why, "policy %s in shadow would exempt it; ", shadow->id);
    }
    outcome = judge(in, out, why);
    if (out->greylisted)
        near_say(in, &(struct near_question){POLICY_GREYLIST, exempts, "exempt it", rule}, why);
    return outcome;
}
