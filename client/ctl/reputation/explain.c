// explain.c: `reevectl reputation explain`: how likely a mail is spam and why: the whole computation, of a question as
// `explain` takes it. Asking changes nothing.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/levels.h"
#include "client/ctl/print.h"
#include "client/ctl/question.h"
#include "client/ctl/staged.h"

// The step that tells of it, where there is no computation: because something else decided before, or it was not known.
static const char *why_none(const struct reeve_verdict *verdict)
{
    for (size_t i = 0; i < verdict->trace_count; i++)
        if (strcmp(verdict->trace[i].step, "reputation") == 0 && verdict->trace[i].why[0] != '\0')
            return verdict->trace[i].why;
    return "the decision does not depend on it (reevectl explain says on what)";
}

static void print_verdict(const struct reeve_verdict *verdict)
{
    if (verdict->reputation == NULL) {
        (void)printf("no reputation: %s\n", why_none(verdict));
        return;
    }
    levels_print(verdict->reputation, stdout);
    (void)printf("verdict: %s (%s)\n", print_done(print_action(verdict->action)), verdict->reason);
}

static void print_json(struct json *json, const struct reeve_answer *answer,
                       const struct reeve_verdict *verdict)
{
    json_open(json, NULL, '{');
    json_text(json, "node", answer->node);
    json_count(json, "policy_version", answer->policy_version);
    json_text(json, "action", print_action(verdict->action));
    json_text(json, "reason", verdict->reason);
    if (verdict->reputation != NULL)
        levels_print_json(json, "reputation", verdict->reputation);
    else
        json_text(json, "reputation", NULL);
    json_close(json, '}');
}

static void print_head(const struct reeve_check *check, const struct reeve_answer *answer)
{
    (void)printf("mail from <%s>, client %s, as node %s knows them (policy version %llu); asking "
                 "changed nothing\n\n",
                 check->sender == NULL ? "" : check->sender,
                 check->client_ip == NULL ? "unknown" : check->client_ip, answer->node,
                 (unsigned long long)answer->policy_version);
}

// Where it comes from is the same for all recipients: the first one's verdict is told.
static int print_answer(struct ctl *ctl, const struct reeve_check *check,
                        const struct reeve_answer *answer)
{
    const struct reeve_verdict *verdict = &answer->verdicts[0]; // libreeve saw that it is there

    if (ctl->want_json) {
        print_json(&ctl->json, answer, verdict);
    } else {
        print_head(check, answer);
        print_verdict(verdict);
        if (answer->degraded)
            (void)printf("degraded: %s\n", answer->degraded_why);
    }
    return verdict->reputation != NULL ? CTL_FINE : CTL_NEGATIVE;
}

// ask: by the set in force, or by files that are staged for it.
static int ask(struct ctl *ctl, struct question *question, struct staged *staged,
               struct reeve_answer **out)
{
    int code = CTL_FINE;

    question->check.dry_run = true;
    question->check.trace = true;
    if (question->policy.count > 0)
        code = staged_make(ctl, &(struct staging){.files = &question->policy}, staged);
    question->check.policy = staged->document;
    return code == CTL_FINE ? question_ask(ctl, question, out) : code;
}

int run_reputation_explain(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct question question;
    struct staged staged = {.document = NULL};
    struct reeve_answer *found = NULL, *answer = NULL;
    const struct reeve_row *then = NULL;
    int code = question_read(ctl, command, true, argc, argv, &question);

    if (code == CTL_FINE && question.has_words)
        code = question_follow(ctl, command, &question, argc, argv, &found, &then);
    if (code == CTL_FINE)
        code = question_complete(ctl, command, &question);
    if (code == CTL_FINE)
        code = ask(ctl, &question, &staged, &answer);
    if (code == CTL_FINE)
        code = print_answer(ctl, &question.check, answer);
    reeve_answer_free(&answer);
    reeve_answer_free(&found);
    staged_free(&staged);
    question_free(&question);
    return code;
}
