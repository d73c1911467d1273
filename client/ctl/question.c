// question.c: see question.h. Promises: what is asked is exactly what the options say; an option
// wins over the same field of a Postfix request.
#include "client/ctl/question.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/line.h"
#include "client/ctl/postfix.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "client/policyd/request.h"
#include "proto/base/mem.h"

static const char *const STAGE_WORDS[] = {"connect", "mail", "rcpt", "end", NULL};
static const char *const SPF_WORDS[] = {"none",    "pass",      "fail",      "softfail",
                                        "neutral", "temperror", "permerror", NULL};

enum { NOT_GIVEN = -1 };

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
    bool postfix, what_if;
    int stage, spf;
    uint64_t recipient_count;
};

static int read_options(struct ctl *ctl, const struct command *command, int argc, char **argv,
                        struct question *out, struct options *options)
{
    const bool what_if = options->what_if;
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
        {.name = "postfix", .kind = ARG_FLAG, .into = &options->postfix},
        {.name = what_if ? "at" : "dry-run",
         .kind = what_if ? ARG_TIME : ARG_FLAG,
         .into = what_if ? (void *)&check->as_of_ms : (void *)&check->dry_run},
        {.name = what_if ? "policy" : NULL, .kind = ARG_TEXTS, .into = &out->policy},
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
    out->has_words = first < argc;
    out->first_word = first;
    if (first < argc && (!what_if || options->postfix))
        return ctl_misuse(ctl, command, "'%s' was not expected here", argv[first]);
    return CTL_FINE;
}

int question_complete(struct ctl *ctl, const struct command *command,
                      const struct question *question)
{
    const struct reeve_check *check = &question->check;
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

int question_read(struct ctl *ctl, const struct command *command, bool what_if, int argc,
                  char **argv, struct question *out)
{
    struct options options = {.what_if = what_if, .stage = NOT_GIVEN, .spf = NOT_GIVEN};
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
    if (code == CTL_FINE && out->check.stage == 0 && !out->has_words)
        out->check.stage = REEVE_RCPT;
    return code;
}

// ---- a decision that was made

static int word_of(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0)
            return i;
    }
    return NOT_GIVEN;
}

static void take_text(const char **field, const struct reeve_row *row, const char *key)
{
    if (*field == NULL)
        *field = print_field(row, key);
}

static void take_number(uint64_t *field, const struct reeve_row *row, const char *key)
{
    if (*field == 0)
        *field = strtoull(print_field(row, key), NULL, 10);
}

static bool is_true(const struct reeve_row *row, const char *key)
{
    return strcmp(print_field(row, key), "true") == 0;
}

static void take_recipient(struct question *question, const struct reeve_row *row)
{
    const char *recipient = print_field(row, "recipient");

    if (question->check.recipient_total > 0 || recipient[0] == '\0')
        return;
    question->recipients.text = mem_grow((void *)question->recipients.text, 1, sizeof(char *));
    question->recipients.text[0] = recipient;
    question->recipients.count = 1;
    question->check.recipients = question->recipients.text;
    question->check.recipient_total = 1;
}

void question_take(struct question *question, const struct reeve_row *row)
{
    struct reeve_check *check = &question->check;
    uint64_t count = check->recipient_count;
    uint64_t at_ms = 0;

    take_text(&check->sender, row, "sender");
    take_text(&check->client_ip, row, "client_ip");
    take_text(&check->client_name, row, "client_name");
    take_text(&check->helo, row, "helo");
    take_text(&check->auth_user, row, "auth_user");
    take_text(&check->spf_domain, row, "spf_domain");
    take_text(&check->transaction, row, "transaction");
    take_recipient(question, row);
    take_number(&check->size_bytes, row, "size_bytes");
    take_number(&count, row, "recipient_count");
    check->recipient_count = (uint32_t)count;
    check->tls |= is_true(row, "tls");
    check->smtputf8 |= is_true(row, "smtputf8");
    if (check->spf == 0)
        check->spf = word_of(SPF_WORDS, print_field(row, "spf")) + 1;
    if (check->stage == 0)
        check->stage = (enum reeve_stage)(word_of(STAGE_WORDS, print_field(row, "stage")) + 1);
    if (check->as_of_ms == 0 && when_parse(print_field(row, "at"), 0, &at_ms))
        check->as_of_ms = at_ms;
}

int question_follow(struct ctl *ctl, const struct command *command, struct question *question,
                    int argc, char **argv, struct reeve_answer **found,
                    const struct reeve_row **then)
{
    const int first = question->first_word;
    char *text = line_take(argc - first, argv + first);
    struct line line;
    int code;

    line_read(text, &line);
    mem_free(text);
    if (line.ticket[0] == '\0' && (!line.has_sender || !line.has_recipient))
        return ctl_misuse(ctl, command,
                          "'%s' was not expected here: it is no ticket, and no line of a log with "
                          "one or with from=<> and to=<>",
                          argv[first]);
    code = line_find(ctl, &line, found, then);
    if (code == CTL_FINE)
        question_take(question, *then);
    return code;
}

void question_free(struct question *question)
{
    for (size_t i = 0; i < question->copy_count; i++)
        mem_free(question->copies[i]);
    mem_free((void *)question->copies);
    mem_free((void *)question->recipients.text);
    mem_free((void *)question->policy.text);
    mem_free(question->parser);
    *question = (struct question){.copy_count = 0};
}

// ---- asking

int question_ask(struct ctl *ctl, const struct question *question, struct reeve_answer **out)
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

int question_exit(const struct reeve_answer *answer)
{
    if (answer->end != NULL)
        return answer->end->action == REEVE_ACCEPT ? CTL_FINE : CTL_NEGATIVE;
    for (size_t i = 0; i < answer->verdict_count; i++) {
        if (answer->verdicts[i].action != REEVE_ACCEPT)
            return CTL_NEGATIVE;
    }
    return CTL_FINE;
}

void question_print_json(struct json *json, const char *key, const struct reeve_answer *answer)
{
    json_open(json, key, '{');
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
