// explain.c: `reevectl explain`: a dry run of a question, every step of the chain in words, and
// why. Asking changes nothing.
#include <stdio.h>

#include "client/ctl/print.h"
#include "client/ctl/question.h"
#include "client/ctl/words.h"

static void print_question(const struct reeve_check *check)
{
    static const char *const stages[] = {"", "CONNECT", "MAIL", "RCPT", "END"};
    const char *sender = check->sender == NULL ? "" : check->sender;

    (void)printf("mail from <%s>", sender);
    if (check->client_ip != NULL)
        (void)printf(", client %s", check->client_ip);
    if (check->client_name != NULL)
        (void)printf(" (%s)", check->client_name);
    if (check->helo != NULL)
        (void)printf(", HELO %s", check->helo);
    if (check->auth_user != NULL)
        (void)printf(", user %s", check->auth_user);
    (void)printf(", asked at %s\n", stages[check->stage]);
}

static void print_step(size_t number, const struct reeve_step *step)
{
    (void)printf("  %2zu. %s %s", number, step->step, words_of_outcome(step->outcome));
    if (step->why[0] != '\0')
        (void)printf(": %s", step->why);
    if (step->rule[0] != '\0')
        (void)printf(" [%s]", step->rule);
    (void)putchar('\n');
}

static void print_verdict(const char *who, const struct reeve_verdict *verdict)
{
    const char *advice = words_of_advice(verdict->reason);

    (void)printf("\nto %s\n", who);
    for (size_t i = 0; i < verdict->trace_count; i++)
        print_step(i + 1, &verdict->trace[i]);
    (void)printf("  verdict: %s, because %s (%s)\n", print_done(print_action(verdict->action)),
                 words_of_reason(verdict->reason), verdict->reason);
    (void)printf("  reply:   %u %s %s\n", verdict->code, verdict->enhanced, verdict->text);
    if (verdict->narrative[0] != '\0')
        (void)printf("  note:    %s\n", verdict->narrative);
    if (verdict->shadow[0] != '\0')
        (void)printf("  shadow:  without it: %s (%s)\n", words_of_reason(verdict->shadow),
                     verdict->shadow);
    if (advice[0] != '\0')
        (void)printf("  advice:  %s\n", advice);
}

static void print_explanation(const struct reeve_check *check, const struct reeve_answer *answer)
{
    (void)printf("what node %s would decide (policy version %llu); asking changed nothing\n",
                 answer->node, (unsigned long long)answer->policy_version);
    print_question(check);
    for (size_t i = 0; i < answer->verdict_count; i++) {
        const char *recipient = answer->verdicts[i].recipient;

        print_verdict(recipient[0] == '\0' ? "nobody yet" : recipient, &answer->verdicts[i]);
    }
    if (answer->end != NULL)
        print_verdict("all, the one reply", answer->end);
    if (answer->degraded)
        (void)printf("\ndegraded: %s\n", answer->degraded_why);
}

int run_explain(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    return question_run(ctl, command, argc, argv, true, print_explanation);
}
