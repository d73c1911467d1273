// test.c: `reevectl policy test`: the cases of files, asked as dry runs, many at a time, of the set in force or of files that
// are staged for it. Promises: what failed is told in the order of the files, whatever came first; nothing is changed by asking.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/ctl/args.h"
#include "client/ctl/policy/cases.h"
#include "client/ctl/policy/compare.h"
#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "client/ctl/staged.h"
#include "client/ctl/words.h"
#include "proto/base/mem.h"

enum { UNDER_WAY_MAX = 64, NO_END = -1 };

struct run {
    struct ctl *ctl;
    struct cases cases;
    struct result {
        struct run *run;
        bool passed;
        char *told; // of one that failed, or with --json of each
    } * result;
    size_t next, under_way;
    size_t passed;
    int code; // why the run ended early, or CTL_FINE
};

// ---- one that failed, for people

static const char *or_none(const char *text)
{
    return text[0] == '\0' ? "none" : text;
}

struct telling {
    FILE *out;
    const struct reeve_answer *answer;
};

static void tell_difference(void *arg, const struct difference *difference)
{
    const struct telling *telling = arg;
    const char *recipient = telling->answer->verdicts[difference->verdict].recipient;

    (void)fprintf(telling->out, "    %s%s%s: wanted %s, came %s\n", recipient,
                  recipient[0] == '\0' ? "" : ": ", difference->field, or_none(difference->wanted),
                  or_none(difference->came));
}

static void tell_verdict(FILE *out, const struct reeve_verdict *verdict)
{
    (void)fprintf(out, "    came%s%s: %u %s %s%s%s%s%s\n",
                  verdict->recipient[0] == '\0' ? "" : " for ", verdict->recipient, verdict->code,
                  verdict->enhanced, verdict->reason, verdict->rule[0] == '\0' ? "" : " by rule ",
                  verdict->rule, verdict->shadow[0] == '\0' ? "" : ", in shadow ", verdict->shadow);
    for (size_t i = 0; i < verdict->trace_count; i++) {
        const struct reeve_step *step = &verdict->trace[i];

        (void)fprintf(out, "      %2zu. %s %s%s%s%s%s%s\n", i + 1, step->step,
                      words_of_outcome(step->outcome), step->why[0] == '\0' ? "" : ": ", step->why,
                      step->rule[0] == '\0' ? "" : " [", step->rule,
                      step->rule[0] == '\0' ? "" : "]");
    }
}

static bool judge_case(FILE *out, const struct test_case *test, const struct reeve_answer *answer)
{
    struct telling telling = {.out = out, .answer = answer};

    (void)fprintf(out, "%s:%u: FAILED: %s\n", test->file, test->line, test->name);
    if (answer->error != REEVE_OK) {
        (void)fprintf(out, "    the node refused the question: %s\n", answer->message);
        return false;
    }
    if (compare_case(test, answer, tell_difference, &telling))
        return true;
    for (size_t i = 0; i < answer->verdict_count; i++)
        tell_verdict(out, &answer->verdicts[i]);
    if (answer->degraded)
        (void)fprintf(out, "    degraded: %s\n", answer->degraded_why);
    return false;
}

// ---- and for programs

static void add_difference(void *arg, const struct difference *difference)
{
    struct json *json = arg;

    json_open(json, NULL, '{');
    json_count(json, "verdict", difference->verdict);
    json_text(json, "field", difference->field);
    json_text(json, "wanted", difference->wanted);
    json_text(json, "came", difference->came);
    json_close(json, '}');
}

static bool judge_case_json(FILE *out, const struct test_case *test,
                            const struct reeve_answer *answer)
{
    bool passed = answer->error == REEVE_OK;
    struct json json;

    json_init(&json, out);
    json_open(&json, NULL, '{');
    json_text(&json, "file", test->file);
    json_count(&json, "line", test->line);
    json_text(&json, "name", test->name);
    json_open(&json, "differences", '[');
    if (passed)
        passed = compare_case(test, answer, add_difference, &json);
    json_close(&json, ']');
    json_bool(&json, "passed", passed);
    json_text(&json, "error", answer->error == REEVE_OK ? "" : answer->message);
    json_bool(&json, "degraded", answer->degraded);
    json_open(&json, "verdicts", '[');
    for (size_t i = 0; i < answer->verdict_count && answer->error == REEVE_OK; i++)
        print_verdict_json(&json, NULL, &answer->verdicts[i]);
    json_close(&json, ']');
    json_close(&json, '}');
    return passed;
}

// ---- asking

static void judge(struct run *run, struct result *result, const struct reeve_answer *answer)
{
    const struct test_case *test = &run->cases.at[result - run->result];
    size_t len = 0;
    FILE *out = open_memstream(&result->told, &len);

    if (out == NULL) {
        run->code = ctl_fail(run->ctl, CTL_NO_NODE, "out of memory");
        return;
    }
    result->passed =
        run->ctl->want_json ? judge_case_json(out, test, answer) : judge_case(out, test, answer);
    (void)fclose(out);
    run->passed += result->passed;
}

// A question that the node refuses has failed; where nobody answers, the others would not be answered either.
static void answered(void *arg, const struct reeve_answer *answer)
{
    struct result *result = arg;
    struct run *run = result->run;

    run->under_way--;
    if (run->code != CTL_FINE)
        return;
    if (answer->error == REEVE_OK || answer->error == REEVE_REFUSED)
        judge(run, result, answer);
    else
        run->code = ctl_fail_answer(run->ctl, run->ctl->node, answer);
}

static void submit_more(struct run *run)
{
    while (run->code == CTL_FINE && run->next < run->cases.count &&
           run->under_way < UNDER_WAY_MAX) {
        struct result *result = &run->result[run->next];

        result->run = run;
        if (reeve_submit(run->ctl->reeve, &run->cases.at[run->next].check, answered, result) == 0)
            run->code = ctl_fail(run->ctl, CTL_NO_NODE, "out of memory");
        else
            run->under_way++;
        run->next++;
    }
}

static int ask_all(struct run *run)
{
    struct pollfd watch = {.events = POLLIN};
    int code = ctl_client(run->ctl);

    if (code != CTL_FINE)
        return code;
    watch.fd = reeve_fd(run->ctl->reeve);
    run->result = mem_new_array(run->cases.count, sizeof(*run->result));
    for (submit_more(run); run->under_way > 0; submit_more(run)) {
        (void)poll(&watch, 1, NO_END); // an error is answered as late as a silence
        reeve_dispatch(run->ctl->reeve);
    }
    return run->code;
}

// ---- the command

static int load(struct ctl *ctl, struct cases *cases, const struct arg_texts *files)
{
    struct err_detail detail = {.text = ""};

    for (size_t i = 0; i < files->count; i++) {
        if (cases_load(cases, files->text[i], &detail) != ERR_NONE)
            return ctl_fail(ctl, CTL_USAGE, "%s", detail.text);
    }
    return CTL_FINE;
}

static void print_results(struct run *run)
{
    size_t failed = run->cases.count - run->passed;

    for (size_t i = 0; i < run->cases.count; i++) {
        if (run->ctl->want_json || !run->result[i].passed)
            (void)fputs(run->result[i].told, stdout);
    }
    if (!run->ctl->want_json) {
        (void)printf("%zu passed, %zu failed\n", run->passed, failed);
        return;
    }
    json_open(&run->ctl->json, NULL, '{');
    json_count(&run->ctl->json, "passed", run->passed);
    json_count(&run->ctl->json, "failed", failed);
    json_close(&run->ctl->json, '}');
}

static int run_cases(struct run *run, const struct arg_texts *policy)
{
    struct staged staged = {.document = NULL};
    int code = CTL_FINE;

    if (policy->count > 0)
        code = staged_make(run->ctl, &(struct staging){.files = policy}, &staged);
    for (size_t i = 0; i < run->cases.count; i++) {
        run->cases.at[i].check.policy = staged.document;
        run->cases.at[i].check.at_ms = run->ctl->at_ms;
    }
    if (code == CTL_FINE)
        code = ask_all(run);
    if (code == CTL_FINE) {
        print_results(run);
        code = run->passed == run->cases.count ? CTL_FINE : CTL_NEGATIVE;
    }
    staged_free(&staged);
    return code;
}

static void run_free(struct run *run)
{
    for (size_t i = 0; run->result != NULL && i < run->cases.count; i++)
        free(run->result[i].told);
    mem_free(run->result);
    cases_free(&run->cases);
}

int run_policy_test(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct run run = {.ctl = ctl};
    struct arg_texts files = {.count = 0}, policy = {.count = 0};
    const struct arg_row rows[] = {
        {.name = "policy", .kind = ARG_TEXTS, .into = &policy},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE && first == argc)
        code = ctl_misuse(ctl, command, "a file of expected decisions is missing");
    if (code == CTL_FINE) {
        staged_take(argc, argv, first, &files);
        code = load(ctl, &run.cases, &files);
    }
    if (code == CTL_FINE)
        code = run_cases(&run, &policy);
    run_free(&run);
    mem_free((void *)files.text);
    mem_free((void *)policy.text);
    return code;
}
