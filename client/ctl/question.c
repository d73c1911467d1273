// question.c: see question.h. Promises: what is asked is exactly what the options say; an option
// wins over the same field of a Postfix request.
#include "client/ctl/question.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/postfix.h"
#include "client/ctl/print.h"
#include "client/policyd/request.h"
#include "proto/base/mem.h"

static const char *const STAGE_WORDS[] = {"connect", "mail", "rcpt", "end", NULL};
static const char *const SPF_WORDS[] = {"none",    "pass",      "fail",      "softfail",
                                        "neutral", "temperror", "permerror", NULL};

enum { NOT_GIVEN = -1 };

struct question {
    struct reeve_check check; // its texts live in argv, in parser and in copies
    struct arg_texts recipients;
    char **copies;
    size_t copy_count;
    struct policy_parser *parser; // of standard input; NULL = not read
};

// ---- a request on standard input

static int take_postfix(struct ctl *ctl, const struct command *command, struct question *question)
{
    const char *flaw = NULL;

    question->parser = mem_new(sizeof(*question->parser));
    if (postfix_read(STDIN_FILENO, question->parser) == POLICY_BROKEN)
        return ctl_misuse(ctl, command, "the Postfix request on standard input: %s",
                          question->parser->why.text);
    flaw = postfix_to_check(&question->parser->request, &question->check);
    if (flaw != NULL)
        return ctl_misuse(ctl, command, "the Postfix request on standard input: %s", flaw);
    return CTL_FINE;
}

// ---- options

// bare: an address without the angle brackets that it may have been typed with.
static const char *bare(struct question *question, const char *address)
{
    size_t len = address == NULL ? 0 : strlen(address);
    char *copy;

    if (len < 2 || address[0] != '<' || address[len - 1] != '>')
        return address;
    copy = mem_text_n(address + 1, len - 2);
    question->copies =
        mem_grow((void *)question->copies, question->copy_count + 1, sizeof(*question->copies));
    question->copies[question->copy_count++] = copy;
    return copy;
}

static void take_addresses(struct question *question)
{
    struct reeve_check *check = &question->check;

    check->sender = bare(question, check->sender);
    for (size_t i = 0; i < question->recipients.count; i++)
        question->recipients.text[i] = bare(question, question->recipients.text[i]);
    check->recipients = question->recipients.text;
    check->recipient_total = question->recipients.count;
}

// The fields that options set and that reeve_check has in another type.
struct options {
    bool postfix;
    int stage, spf;
    uint64_t recipient_count;
};

static int read_options(struct ctl *ctl, const struct command *command, int argc, char **argv,
                        struct question *out, struct options *options)
{
    struct reeve_check *check = &out->check;
    const struct arg_row rows[] = {
        {.name = "stage", .kind = ARG_WORD, .into = &options->stage, .words = STAGE_WORDS},
        {.name = "transaction", .kind = ARG_TEXT, .into = &check->transaction},
        {.name = "ip", .kind = ARG_TEXT, .into = &check->client_ip},
        {.name = "name", .kind = ARG_TEXT, .into = &check->client_name},
        {.name = "helo", .kind = ARG_TEXT, .into = &check->helo},
        {.name = "user", .kind = ARG_TEXT, .into = &check->auth_user},
        {.name = "tls", .kind = ARG_FLAG, .into = &check->tls},
        {.name = "smtputf8", .kind = ARG_FLAG, .into = &check->smtputf8},
        {.name = "from", .kind = ARG_TEXT, .into = &check->sender},
        {.name = "to", .kind = ARG_TEXTS, .into = &out->recipients},
        {.name = "recipient-count",
         .kind = ARG_COUNT,
         .into = &options->recipient_count,
         .max = UINT32_MAX},
        {.name = "size", .kind = ARG_SIZE, .into = &check->size_bytes},
        {.name = "spf", .kind = ARG_WORD, .into = &options->spf, .words = SPF_WORDS},
        {.name = "spf-domain", .kind = ARG_TEXT, .into = &check->spf_domain},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &check->dry_run},
        {.name = "postfix", .kind = ARG_FLAG, .into = &options->postfix},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code != CTL_FINE)
        return code;
    if (first < argc && strcmp(argv[first], "-") == 0) {
        options->postfix = true;
        first++;
    }
    if (first < argc)
        return ctl_misuse(ctl, command, "'%s' was not expected here", argv[first]);
    return CTL_FINE;
}

static int check_recipients(struct ctl *ctl, const struct command *command,
                            const struct reeve_check *check)
{
    bool early = check->stage == REEVE_CONNECT || check->stage == REEVE_MAIL;

    if (early && check->recipient_total > 0)
        return ctl_misuse(ctl, command, "at stage %s there is no --to yet",
                          STAGE_WORDS[check->stage - 1]);
    if (!early && check->recipient_total == 0)
        return ctl_misuse(ctl, command,
                          "a --to is missing (or a Postfix request on standard "
                          "input, which - reads)");
    return CTL_FINE;
}

static int question_read(struct ctl *ctl, const struct command *command, int argc, char **argv,
                         struct question *out)
{
    struct options options = {.stage = NOT_GIVEN, .spf = NOT_GIVEN};
    int code;

    *out = (struct question){.copy_count = 0};
    code = read_options(ctl, command, argc, argv, out, &options);
    if (code != CTL_FINE)
        return code;
    out->check.at_ms = ctl->at_ms;
    out->check.spf = options.spf + 1; // 0 = not looked at, then the words in order
    out->check.stage = (enum reeve_stage)(options.stage + 1);
    out->check.recipient_count = (uint32_t)options.recipient_count;
    take_addresses(out);
    if (options.postfix)
        code = take_postfix(ctl, command, out);
    if (code == CTL_FINE && out->check.stage == 0)
        out->check.stage = REEVE_RCPT;
    return code == CTL_FINE ? check_recipients(ctl, command, &out->check) : code;
}

static void question_free(struct question *question)
{
    for (size_t i = 0; i < question->copy_count; i++)
        mem_free(question->copies[i]);
    mem_free((void *)question->copies);
    mem_free((void *)question->recipients.text);
    mem_free(question->parser);
    *question = (struct question){.copy_count = 0};
}

// ---- asking

static int question_ask(struct ctl *ctl, const struct question *question, struct reeve_answer **out)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_client(ctl);

    if (code != CTL_FINE)
        return code;
    if (reeve_check(ctl->reeve, &question->check, &answer) == REEVE_OK) {
        *out = answer;
        return CTL_FINE;
    }
    code = ctl_fail_answer(ctl, ctl->node, answer);
    reeve_answer_free(&answer);
    return code;
}

static int question_exit(const struct reeve_answer *answer)
{
    if (answer->end != NULL)
        return answer->end->action == REEVE_ACCEPT ? CTL_FINE : CTL_NEGATIVE;
    for (size_t i = 0; i < answer->verdict_count; i++) {
        if (answer->verdicts[i].action != REEVE_ACCEPT)
            return CTL_NEGATIVE;
    }
    return CTL_FINE;
}

static void question_print_json(struct ctl *ctl, const struct reeve_answer *answer)
{
    struct json *json = &ctl->json;

    json_open(json, NULL, '{');
    json_text(json, "node", answer->node);
    json_count(json, "policy_version", answer->policy_version);
    json_bool(json, "draining", answer->draining);
    json_bool(json, "degraded", answer->degraded);
    json_text(json, "degraded_why", answer->degraded_why);
    json_open(json, "verdicts", '[');
    for (size_t i = 0; i < answer->verdict_count; i++)
        print_verdict_json(json, NULL, &answer->verdicts[i]);
    json_close(json, ']');
    if (answer->end != NULL)
        print_verdict_json(json, "message", answer->end);
    json_close(json, '}');
}

int question_run(struct ctl *ctl, const struct command *command, int argc, char **argv, bool dry,
                 void (*print)(const struct reeve_check *check, const struct reeve_answer *answer))
{
    struct reeve_answer *answer = NULL;
    struct question question;
    int code = question_read(ctl, command, argc, argv, &question);

    question.check.dry_run |= dry;
    question.check.trace |= dry;
    if (code == CTL_FINE)
        code = question_ask(ctl, &question, &answer);
    if (answer != NULL) {
        if (ctl->want_json)
            question_print_json(ctl, answer);
        else
            print(&question.check, answer);
        code = question_exit(answer);
    }
    reeve_answer_free(&answer);
    question_free(&question);
    return code;
}
