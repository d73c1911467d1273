// promises.c: what holds for every reply: the sentences of node/core/README.md and reeve.proto that
// begin with "every", "never" or "always", and therefore need no line of their own.
#include "tests/scenario/promises.h"

#include <string.h>

#include "proto/text.h"
#include "tests/scenario/reply.h"

struct judge {
    const struct ask *ask;
    bool trace;
    FILE *out;
    bool holds;
};

static void must(struct judge *judge, bool holds, const char *promise, const char *came)
{
    if (holds)
        return;
    judge->holds = false;
    (void)fprintf(judge->out, "    promise broken: %s; came \"%s\"\n", promise, came);
}

static bool is_clean(const char *text)
{
    return text_is_clean(text, strlen(text), 4096);
}

static unsigned code_class(enum msg_action action)
{
    static const unsigned CLASS[] = {0, 2, 4, 5, 2, 2};

    return CLASS[action];
}

static const char *enhanced_of_accept(enum msg_stage stage)
{
    switch (stage) {
    case MSG_MAIL:
        return "2.1.0";
    case MSG_RCPT:
    case MSG_STAGE_UNSPECIFIED:
        return "2.1.5";
    case MSG_CONNECT:
    case MSG_END:
        break;
    }
    return "2.0.0";
}

static void judge_codes(struct judge *judge, const struct msg_verdict *verdict)
{
    unsigned class = code_class(verdict->action);

    must(judge, class != 0, "every verdict has an action", "none");
    must(judge, verdict->code / 100 == class, "the code is of the action", verdict->reason);
    must(judge, (unsigned)(verdict->enhanced[0] - '0') == class,
         "the enhanced code is of the code's class", verdict->enhanced);
    if (verdict->action == MSG_ACCEPT)
        must(judge, strcmp(verdict->enhanced, enhanced_of_accept(ask_stage(judge->ask))) == 0,
             "an accept has its stage's enhanced code", verdict->enhanced);
}

static void judge_texts(struct judge *judge, const struct msg_verdict *verdict)
{
    must(judge, *verdict->reason != '\0', "every verdict has a reason", "");
    must(judge, *verdict->text != '\0', "every verdict has a text", "");
    must(judge, is_clean(verdict->text) && is_clean(verdict->recipient),
         "what is echoed is valid UTF-8 without control characters", verdict->text);
    must(judge, strstr(verdict->text, verdict->ticket) != NULL, "the ticket is in the text",
         verdict->text);
    must(judge, judge->trace || verdict->trace_count == 0, "nobody gets a trace unasked",
         verdict->reason);
    for (size_t i = 0; i < verdict->trace_count; i++)
        must(judge, is_clean(verdict->trace[i].why), "the trace is clean text",
             verdict->trace[i].why);
}

static void judge_tickets(struct judge *judge, const struct msg_verdict *verdict)
{
    bool is_tracked = verdict->action != MSG_ACCEPT || *verdict->shadow != '\0' ||
                      strcmp(verdict->reason, "greylist_pass") == 0;

    if (ask_is_dry(judge->ask))
        must(judge, *verdict->ticket == '\0', "a dry run has no ticket", verdict->ticket);
    else if (is_tracked)
        must(judge, *verdict->ticket != '\0',
             "a deferral, a rejection, a pass and a shadowed verdict have a ticket", "");
    if (strcmp(verdict->reason, "greylist_early") == 0 || strcmp(verdict->reason, "rate") == 0 ||
        strcmp(verdict->reason, "dha") == 0)
        must(judge, verdict->retry_after_s > 0, "an early retry is told how long to wait",
             verdict->text);
}

static void judge_recipient(struct judge *judge, const struct msg_verdict *verdict,
                            const struct bytes *asked, struct arena *scratch)
{
    char *clean = arena_alloc(scratch, MSG_ADDRESS_MAX + 1);

    if (clean == NULL || strlen(asked->at) != asked->len)
        return; // a NUL cannot be echoed as it was
    (void)text_clean(clean, MSG_ADDRESS_MAX, asked->at, asked->len);
    must(judge, strcmp(clean, verdict->recipient) == 0,
         "verdicts name the recipients in the order asked", verdict->recipient);
}

static void judge_verdict(struct judge *judge, const struct msg_verdict *verdict)
{
    judge_codes(judge, verdict);
    judge_texts(judge, verdict);
    judge_tickets(judge, verdict);
}

static void judge_decision(struct judge *judge, const struct msg_decision *decision,
                           struct arena *scratch)
{
    enum msg_stage stage = ask_stage(judge->ask);
    bool is_early = stage == MSG_CONNECT || stage == MSG_MAIL;
    size_t expected = is_early ? 1 : judge->ask->recipient_count;

    must(judge, decision->verdict_count == expected,
         "one verdict a recipient, and one at CONNECT and MAIL", "another number");
    must(judge, decision->has_message == (stage == MSG_END),
         "END has one reply to the client, no other stage has", "");
    for (size_t i = 0; i < decision->verdict_count && i < expected; i++) {
        judge_verdict(judge, &decision->verdicts[i]);
        if (!is_early)
            judge_recipient(judge, &decision->verdicts[i], &judge->ask->recipient[i], scratch);
    }
    if (decision->has_message)
        judge_codes(judge, &decision->message);
}

bool promises_hold(const struct promised *promised, const struct msg_reply *reply,
                   struct arena *scratch, FILE *out)
{
    struct judge judge = {promised->ask, promised->trace, out, true};

    must(&judge, strcmp(reply->node, promised->node) == 0, "every reply names its node",
         reply->node);
    must(&judge, (reply->status == MSG_OK) == (*reply->error == '\0'),
         "an error has a text for a person, and only an error has", reply->error);
    must(&judge, reply->degraded == (*reply->degraded_why != '\0'), "degraded says why",
         reply->degraded_why);
    must(&judge, is_clean(reply->error) && is_clean(reply->degraded_why), "texts are clean",
         reply->error);
    if (promised->ask->verb == MSG_CHECK && reply->status == MSG_OK)
        judge_decision(&judge, &reply->decision, scratch);
    return judge.holds;
}
