// explain.c: `reevectl explain`: a dry run of a question, every step of the chain in words, and why. With a ticket: what
// was decided then beside what would be now; with files of a policy set: beside what would be by them. Asking changes
// nothing.
//
//      options, or a decision that was made -> the question -> the set in force -> what it would decide
//                                                           -> files, staged   -> what they would decide
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/question.h"
#include "client/ctl/staged.h"
#include "client/ctl/when.h"
#include "client/ctl/words.h"

enum { CELL_MAX = 256 };

struct explain {
    struct ctl *ctl;
    const struct command *command;
    struct question question;
    struct reeve_answer *found;   // the decision that was made; NULL = none was named
    const struct reeve_row *then; // in it
    struct staged staged;
    struct reeve_answer *now, *files; // by the set in force; by the files, else NULL
};

// ---- the question

static int read_question(struct explain *explain, int argc, char **argv)
{
    struct question *question = &explain->question;
    int code = question_read(explain->ctl, explain->command, true, argc, argv, question);

    if (code == CTL_FINE && question->has_words)
        code = question_follow(explain->ctl, explain->command, question, argc, argv,
                               &explain->found, &explain->then);
    question->check.dry_run = true;
    question->check.trace = true;
    return code == CTL_FINE ? question_complete(explain->ctl, explain->command, question) : code;
}

static int ask(struct explain *explain)
{
    struct question *question = &explain->question;
    int code = CTL_FINE;

    if (question->policy.count > 0)
        code = staged_make(explain->ctl, &(struct staging){.files = &question->policy},
                           &explain->staged);
    if (code == CTL_FINE)
        code = question_ask(explain->ctl, question, &explain->now);
    question->check.policy = explain->staged.document;
    if (code == CTL_FINE && question->policy.count > 0)
        code = question_ask(explain->ctl, question, &explain->files);
    return code;
}

// ---- what is printed: the question

static const struct reeve_answer *last_answer(const struct explain *explain)
{
    return explain->files != NULL ? explain->files : explain->now;
}

static void print_head(const struct explain *explain)
{
    const char *node = explain->now->node;
    unsigned long long version = (unsigned long long)explain->now->policy_version;
    char time[WHEN_MAX];

    if (explain->then != NULL)
        (void)printf("what was decided at %s (ticket %s), and ",
                     print_time(explain->then, "at", time), print_field(explain->then, "ticket"));
    if (explain->files != NULL)
        (void)printf("what node %s would decide by these files, which are not in force; asking "
                     "changed nothing\n",
                     node);
    else
        (void)printf("what node %s would decide (policy version %llu); asking changed nothing\n",
                     node, version);
}

static void print_question(const struct reeve_check *check)
{
    static const char *const stages[] = {"", "CONNECT", "MAIL", "RCPT", "END"};
    const struct {
        const char *label, *text, *end;
    } parts[] = {
        {", client ", check->client_ip, ""},
        {" (", check->client_name, ")"},
        {", HELO ", check->helo, ""},
        {", user ", check->auth_user, ""},
    };
    char time[WHEN_MAX];

    (void)printf("mail from <%s>", check->sender == NULL ? "" : check->sender);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].text != NULL && parts[i].text[0] != '\0')
            (void)printf("%s%s%s", parts[i].label, parts[i].text, parts[i].end);
    }
    if (check->tls)
        (void)fputs(", with TLS", stdout);
    if (check->size_bytes > 0)
        (void)printf(", %llu bytes", (unsigned long long)check->size_bytes);
    (void)printf(", asked at %s", stages[check->stage]);
    if (check->as_of_ms > 0)
        (void)printf(", as of %s", when_format(check->as_of_ms, time));
    (void)putchar('\n');
}

// ---- side by side

// What one column says of a verdict.
struct said {
    char policy[CELL_MAX];
    const char *action, *reason, *rule, *shadow;
};

static void say_row(const struct reeve_row *row, struct said *out)
{
    const char *version = print_field(row, "policy_version");

    *out = (struct said){.action = print_done(print_field(row, "action")),
                         .reason = print_field(row, "reason"),
                         .rule = print_field(row, "rule"),
                         .shadow = print_field(row, "shadow")};
    (void)snprintf(out->policy, sizeof(out->policy), "%s%s", version[0] == '\0' ? "" : "version ",
                   version);
}

static void say_verdict(const struct reeve_answer *answer, size_t index, bool is_files,
                        struct said *out)
{
    const struct reeve_verdict *verdict = &answer->verdicts[index];

    *out = (struct said){.action = print_done(print_action(verdict->action)),
                         .reason = verdict->reason,
                         .rule = verdict->rule,
                         .shadow = verdict->shadow};
    if (is_files)
        (void)snprintf(out->policy, sizeof(out->policy), "the files");
    else
        (void)snprintf(out->policy, sizeof(out->policy), "version %llu",
                       (unsigned long long)answer->policy_version);
}

// gather: the columns there are of one recipient: then, now, by the files.
static size_t gather(const struct explain *explain, size_t index, struct said said[3],
                     const char *titles[5])
{
    size_t count = 0;

    titles[0] = "OF";
    if (explain->then != NULL) {
        say_row(explain->then, &said[count]);
        titles[++count] = "THEN";
    }
    say_verdict(explain->now, index, false, &said[count]);
    titles[++count] = "NOW";
    if (explain->files != NULL && index < explain->files->verdict_count) {
        say_verdict(explain->files, index, true, &said[count]);
        titles[++count] = "BY THE FILES";
    }
    titles[count + 1] = NULL;
    return count;
}

static bool is_same(const struct said *one, const struct said *other)
{
    return strcmp(one->action, other->action) == 0 && strcmp(one->reason, other->reason) == 0 &&
           strcmp(one->rule, other->rule) == 0 && strcmp(one->shadow, other->shadow) == 0;
}

static void print_line(struct table *table, const char *name, const struct said *said, size_t count,
                       const char *(*get)(const struct said *said))
{
    table_cell(table, name);
    for (size_t i = 0; i < count; i++)
        table_cell(table, get(&said[i]));
}

static const char *get_policy(const struct said *said)
{
    return said->policy;
}

static const char *get_action(const struct said *said)
{
    return said->action;
}

static const char *get_reason(const struct said *said)
{
    return said->reason;
}

static const char *get_rule(const struct said *said)
{
    return said->rule;
}

static const char *get_shadow(const struct said *said)
{
    return said->shadow;
}

// print_beside: only where there is something to stand beside.
static void print_beside(const struct explain *explain, size_t index)
{
    struct said said[3];
    const char *titles[5];
    size_t count = gather(explain, index, said, titles);
    struct table table;

    if (count < 2)
        return;
    table_begin(&table, titles);
    print_line(&table, "policy", said, count, get_policy);
    print_line(&table, "verdict", said, count, get_action);
    print_line(&table, "reason", said, count, get_reason);
    print_line(&table, "rule", said, count, get_rule);
    print_line(&table, "shadow", said, count, get_shadow);
    table_end(&table, stdout);
    (void)puts(is_same(&said[0], &said[count - 1]) ? "the decision would be the same"
                                                   : "the decision would be another one");
}

// ---- the verdict in force, or by the files, step by step

static void print_step(size_t number, const struct reeve_step *step)
{
    (void)printf("  %2zu. %s %s", number, step->step, words_of_outcome(step->outcome));
    if (step->why[0] != '\0')
        (void)printf(": %s", step->why);
    if (step->rule[0] != '\0')
        (void)printf(" [%s]", step->rule);
    (void)putchar('\n');
}

static void print_verdict(const struct reeve_verdict *verdict)
{
    const char *advice = words_of_advice(verdict->reason);

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

static void print_explanation(const struct explain *explain)
{
    const struct reeve_answer *answer = last_answer(explain);

    if (explain->files != NULL)
        staged_print_findings(&explain->staged);
    print_head(explain);
    print_question(&explain->question.check);
    for (size_t i = 0; i < answer->verdict_count; i++) {
        const char *recipient = answer->verdicts[i].recipient;

        (void)printf("\nto %s\n", recipient[0] == '\0' ? "nobody yet" : recipient);
        print_beside(explain, i);
        print_verdict(&answer->verdicts[i]);
    }
    if (answer->end != NULL) {
        (void)printf("\nto all, the one reply\n");
        print_verdict(answer->end);
    }
    if (answer->degraded)
        (void)printf("\ndegraded: %s\n", answer->degraded_why);
}

// A plain question's answer is the document itself.
static void print_json(const struct explain *explain)
{
    struct json *json = &explain->ctl->json;

    if (explain->then == NULL && explain->files == NULL) {
        question_print_json(json, NULL, explain->now);
        return;
    }
    json_open(json, NULL, '{');
    if (explain->then != NULL)
        print_row_json(json, "then", explain->then);
    question_print_json(json, "now", explain->now);
    if (explain->files != NULL) {
        print_rows_json(json, "findings", staged_findings(&explain->staged),
                        staged_finding_count(&explain->staged));
        question_print_json(json, "files", explain->files);
    }
    json_close(json, '}');
}

int run_explain(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct explain explain = {.ctl = ctl, .command = command};
    int code = read_question(&explain, argc, argv);

    if (code == CTL_FINE)
        code = ask(&explain);
    if (code == CTL_FINE) {
        if (ctl->want_json)
            print_json(&explain);
        else
            print_explanation(&explain);
        code = question_exit(last_answer(&explain));
    }
    reeve_answer_free(&explain.files);
    reeve_answer_free(&explain.now);
    reeve_answer_free(&explain.found);
    staged_free(&explain.staged);
    question_free(&explain.question);
    return code;
}
