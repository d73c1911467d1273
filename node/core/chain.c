// chain.c: runs the steps of the decision table. Promises: every step that the stage has appears in
// the trace once, in order, also those after the one that decided; a verdict always comes out.
#include "node/core/chain.h"

enum { AT_MAIL = 1 << MSG_MAIL, AT_RCPT = 1 << MSG_RCPT | 1 << MSG_END };

// The step recipient has two places, by settings.greylist.recipient_check_first.
static bool recipient_goes_first(const struct chain_in *in)
{
    return in->policy->settings.greylist.recipient_check_first;
}

static bool recipient_goes_last(const struct chain_in *in)
{
    return !recipient_goes_first(in);
}

static const struct step steps[] = {
    {"geo", AT_RCPT, false, NULL, geo_step},
    {"syntax", AT_MAIL | AT_RCPT, false, NULL, syntax_step},
    {"direction", AT_RCPT, false, NULL, direction_step},
    {"anti_spoof", AT_RCPT, false, NULL, anti_spoof_step},
    {"block_admin", AT_RCPT, false, NULL, block_admin_step},
    {"block_user", AT_RCPT, true, NULL, block_user_step},
    {"permit_admin", AT_RCPT, true, NULL, permit_admin_step},
    {"permit_user", AT_RCPT, true, NULL, permit_user_step},
    {"auto_allow", AT_RCPT, true, NULL, auto_allow_step},
    {"abuse", AT_RCPT, true, NULL, abuse_step},
    {"reputation", AT_RCPT, true, NULL, reputation_step},
    {"recipient", AT_RCPT, true, recipient_goes_first, recipient_step},
    {"greylist", AT_RCPT, true, NULL, greylist_step},
    {"recipient", AT_RCPT, true, recipient_goes_last, recipient_step},
    {"policy", AT_MAIL | AT_RCPT, true, NULL, policy_step},
    {NULL, 0, true, NULL, NULL},
};
_Static_assert(sizeof(steps) / sizeof(steps[0]) <= CHAIN_STEPS_MAX,
               "the trace has a row for every step");

const struct step *chain_steps(void)
{
    return steps;
}

const char *outcome_text(enum outcome outcome)
{
    static const char *const words[] = {"pass", "skip", "hit", "shadow", "wait"};

    return words[outcome];
}

void chain_use(struct verdict *out, const struct policy_rule *rule)
{
    if (rule == NULL || out->used_count == VERDICT_USED_MAX)
        return;
    for (unsigned i = 0; i < out->used_count; i++)
        if (out->used[i].rule == rule) // of the sender, and of the login beside him
            return;
    out->used[out->used_count++] = (struct used_rule){rule, rule->mode == POLICY_SHADOW};
}

// The rest of the trace's memory, for one row's words.
static struct text_buf row_begin(const struct trace *trace)
{
    struct text_buf why;

    text_buf_init(&why, NULL, 0);
    if (trace != NULL && trace->rows != NULL && trace->text.size > trace->text.used)
        text_buf_init(&why, trace->text.start + trace->text.used,
                      trace->text.size - trace->text.used);
    return why;
}

static void row_end(struct trace *trace, const char *step, enum outcome outcome, const char *rule,
                    const struct text_buf *why)
{
    if (trace == NULL || trace->rows == NULL)
        return;
    trace->rows[trace->count++] =
        (struct trace_row){step, outcome, rule, why->size > 0 ? why->start : ""};
    if (why->size > 0)
        trace->text.used += why->used + 1; // the terminator stays
}

static enum outcome run_step(const struct step *step, const struct chain_in *in,
                             struct verdict *out, struct trace *trace)
{
    struct text_buf why = row_begin(trace);
    enum outcome outcome = step->run(in, out, &why);
    const char *rule = outcome == OUTCOME_SHADOW ? out->shadow_rule : out->rule;

    row_end(trace, step->name, outcome, outcome == OUTCOME_SKIP ? "" : rule, &why);
    return outcome;
}

static void skip_step(const struct step *step, const char *decider, struct trace *trace)
{
    struct text_buf why = row_begin(trace);

    text_buf_add(&why, "%s has decided", decider);
    row_end(trace, step->name, OUTCOME_SKIP, "", &why);
}

// hold_back: a hold is not the end: somebody may still say that the mail must not come in at all.
static bool hold_back(struct verdict *out)
{
    if (reason_row(out->reason)->action != MSG_HOLD)
        return false;
    if (out->held.reason == REASON_COUNT)
        out->held = (struct held){out->reason, out->rule, out->note, out->hold_for};
    out->reason = REASON_accept;
    out->rule = "";
    out->note = "";
    out->hold_for = "";
    return true;
}

static void hold_in_the_end(struct verdict *out)
{
    out->reason = out->held.reason;
    out->rule = out->held.rule;
    out->note = out->held.note;
    out->hold_for = out->held.hold_for;
}

// go_on: one step, or that another has decided before it. False: it waits.
static bool go_on(const struct step *step, const struct chain_in *in, struct verdict *out,
                  const char **decider, struct trace *trace)
{
    enum outcome outcome;

    if ((step->stages & 1U << in->facts->stage) == 0 ||
        (step->is_placed != NULL && !step->is_placed(in)))
        return true;
    if (*decider != NULL) {
        skip_step(step, *decider, trace);
        return true;
    }
    outcome = run_step(step, in, out, trace);
    if (outcome == OUTCOME_HIT && !hold_back(out))
        *decider = step->name;
    return outcome != OUTCOME_WAIT;
}

void chain_begin(const struct chain_in *in, struct chain_start *out, struct trace *trace)
{
    bool waits = false;

    *out = (struct chain_start){.verdict = {.reason = REASON_accept,
                                            .rule = "",
                                            .note = "",
                                            .hold_for = "",
                                            .held = {.reason = REASON_COUNT},
                                            .shadow = REASON_COUNT,
                                            .shadow_rule = ""},
                                .next = steps};
    if (trace != NULL) {
        trace->count = 0;
        trace->text.used = 0;
    }
    for (; !out->next->is_late && !waits; out->next++)
        waits = !go_on(out->next, in, &out->verdict, &out->decider, trace);
    if (trace != NULL) {
        out->rows = trace->count;
        out->text_used = trace->text.used;
    }
}

enum outcome chain_run(const struct chain_in *in, const struct chain_start *start,
                       struct verdict *out, struct trace *trace)
{
    const char *decider = start->decider;

    *out = start->verdict;
    if (trace != NULL) {
        trace->count = start->rows;
        trace->text.used = start->text_used;
    }
    for (const struct step *step = start->next; step->name != NULL; step++)
        if (!go_on(step, in, out, &decider, trace))
            return OUTCOME_WAIT;
    if (decider == NULL && out->held.reason != REASON_COUNT)
        hold_in_the_end(out);
    return OUTCOME_PASS;
}

size_t chain_merge(const enum reason *reasons, size_t count)
{
    size_t deferred = count;
    size_t held = count;

    for (size_t i = 0; i < count; i++) {
        enum msg_action action = reason_row(reasons[i])->action;

        if (action == MSG_ACCEPT)
            return i;
        if (action == MSG_DEFER && deferred == count)
            deferred = i;
        if (action == MSG_HOLD && held == count)
            held = i;
    }
    if (held < count)
        return held;
    return deferred < count ? deferred : 0;
}
