// rehearse.c: what a dry run foretold, beside what came.
#include "tests/scenario/rehearse.h"

#include <string.h>

#include "proto/base/mem.h"
#include "tests/scenario/reply.h"

struct foretold {
    FILE *out;
    bool holds;
};

static void same_text(struct foretold *to, const char *what, const char *dry, const char *live)
{
    if (strcmp(dry, live) == 0)
        return;
    to->holds = false;
    (void)fprintf(to->out, "    the dry run before said %s \"%s\", live came \"%s\"\n", what, dry,
                  live);
}

static void same_number(struct foretold *to, const char *what, unsigned long long dry,
                        unsigned long long live)
{
    char dry_text[REPLY_NUMBER_TEXT];
    char live_text[REPLY_NUMBER_TEXT];

    (void)snprintf(dry_text, sizeof(dry_text), "%llu", dry);
    (void)snprintf(live_text, sizeof(live_text), "%llu", live);
    same_text(to, what, dry_text, live_text);
}

// The text without its ticket, which a dry run never has.
static void same_words(struct foretold *to, const struct msg_verdict *dry,
                       const struct msg_verdict *live)
{
    const char *ticket = strstr(live->text, " (ticket ");
    size_t len = ticket == NULL ? strlen(live->text) : (size_t)(ticket - live->text);
    char *words = mem_format("%.*s", (int)len, live->text);

    same_text(to, "text", dry->text, words);
    mem_free(words);
}

// A dry run says what the other one does, and behind it what else could have been (core/near.h).
static void same_why(struct foretold *to, const struct msg_step *dry, const struct msg_step *live)
{
    const size_t len = strlen(live->why);
    const char *more = strncmp(dry->why, live->why, len) == 0 ? dry->why + len : "?";

    const bool is_near =
        strncmp(more, "; policy ", 9) == 0 || strncmp(more, "; its entry ", 12) == 0;

    if (*more != '\0' && (!is_near || strstr(more, " but for: ") == NULL))
        same_text(to, dry->step, dry->why, live->why);
}

static void same_trace(struct foretold *to, const struct msg_verdict *dry,
                       const struct msg_verdict *live)
{
    same_number(to, "a trace of so many steps:", dry->trace_count, live->trace_count);
    for (size_t i = 0; i < dry->trace_count && i < live->trace_count; i++) {
        const struct msg_step *one = &dry->trace[i];
        const struct msg_step *other = &live->trace[i];

        same_text(to, "step", one->step, other->step);
        same_text(to, one->step, one->outcome, other->outcome);
        same_text(to, one->step, one->rule, other->rule);
        same_why(to, one, other);
    }
}

static void same_verdict(struct foretold *to, const struct msg_verdict *dry,
                         const struct msg_verdict *live)
{
    static const char *const KEYS[] = {
        "recipient",       "enhanced",    "rule",   "narrative", "shadow",
        "direction",       "retry_after", "waited", "hold_for",  "skip_greylist",
        "skip_reputation", "skip_spam",   "score"};
    char dry_number[REPLY_NUMBER_TEXT];
    char live_number[REPLY_NUMBER_TEXT];

    same_number(to, "code", dry->code, live->code);
    same_text(to, "reason", dry->reason, live->reason);
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
        if (reply_knows(KEYS[i]))
            same_text(to, KEYS[i], reply_value(dry, KEYS[i], dry_number),
                      reply_value(live, KEYS[i], live_number));
    same_words(to, dry, live);
    same_trace(to, dry, live);
}

bool rehearse_same(const struct msg_reply *dry, const struct msg_reply *live, FILE *out)
{
    struct foretold to = {out, true};
    const struct msg_decision *one = &dry->decision;
    const struct msg_decision *other = &live->decision;

    same_text(&to, "status", reply_status_word(dry->status), reply_status_word(live->status));
    same_text(&to, "error", dry->error, live->error);
    same_text(&to, "degraded", dry->degraded_why, live->degraded_why);
    same_number(&to, "verdicts:", one->verdict_count, other->verdict_count);
    for (size_t i = 0; i < one->verdict_count && i < other->verdict_count; i++)
        same_verdict(&to, &one->verdicts[i], &other->verdicts[i]);
    if (one->has_message && other->has_message)
        same_verdict(&to, &one->message, &other->message);
    return to.holds;
}
