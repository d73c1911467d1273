// sent.c: `reevectl sent`: tells a node of a mail of one's own users that was accepted, for gateways that
// have no other way to: by options, and with the message on standard input by its headers, too.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/headers.h"
#include "proto/base/mem.h"

static void print_text(const struct reeve_answer *answer)
{
    if (answer->queued)
        (void)printf("queued: the store is away; it is recorded when that is back\n");
    else
        (void)printf("recorded: %u\n", answer->recorded);
    for (size_t i = 0; i < answer->skipped_count; i++)
        (void)printf("skipped: %s\n", answer->skipped_why[i]);
}

static void print_json(struct json *json, const struct reeve_answer *answer)
{
    json_open(json, NULL, '{');
    json_text(json, "node", answer->node);
    json_count(json, "recorded", answer->recorded);
    json_bool(json, "queued", answer->queued);
    json_open(json, "skipped_why", '[');
    for (size_t i = 0; i < answer->skipped_count; i++)
        json_text(json, NULL, answer->skipped_why[i]);
    json_close(json, ']');
    json_close(json, '}');
}

static int tell(struct ctl *ctl, const struct reeve_sent *sent)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_client(ctl);

    if (code != CTL_FINE)
        return code;
    if (reeve_sent(ctl->reeve, sent, &answer) != REEVE_OK)
        code = ctl_fail_answer(ctl, ctl->node, answer);
    else if (ctl->want_json)
        print_json(&ctl->json, answer);
    else
        print_text(answer);
    if (code == CTL_FINE && answer->recorded == 0 && !answer->queued)
        code = CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

// tell_with_headers: those of the message on standard input, which is read to its end.
static int tell_with_headers(struct ctl *ctl, const struct reeve_sent *envelope)
{
    struct reeve_header header[HEADERS_MAX];
    struct reeve_sent sent = *envelope;
    size_t len = 0;
    char *bytes = headers_read(STDIN_FILENO, &len);
    int code;

    if (bytes == NULL)
        return ctl_fail(ctl, CTL_USAGE, "the message on standard input: %s", strerror(errno));
    sent.headers = header;
    sent.header_total = headers_pick(bytes, len, header);
    code = tell(ctl, &sent);
    mem_free(bytes);
    return code;
}

static int check_words(struct ctl *ctl, const struct command *command,
                       const struct reeve_sent *sent, int argc, char **argv)
{
    if (argc > 1 || (argc == 1 && strcmp(argv[0], "-") != 0))
        return ctl_misuse(ctl, command, "'%s' was not expected here",
                          argv[strcmp(argv[0], "-") == 0 ? 1 : 0]);
    if (sent->sender == NULL)
        return ctl_misuse(ctl, command, "--from is missing (the null sender is written as '<>')");
    if (sent->recipient_total == 0)
        return ctl_misuse(ctl, command, "a --to is missing");
    return CTL_FINE;
}

int run_sent(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct reeve_sent sent = {.transaction = NULL};
    struct arg_texts recipients = {.count = 0};
    const struct arg_row rows[] = {
        {.name = "from", .kind = ARG_TEXT, .into = &sent.sender},
        {.name = "to", .kind = ARG_TEXTS, .into = &recipients},
        {.name = "user", .kind = ARG_TEXT, .into = &sent.auth_user},
        {.name = "ip", .kind = ARG_TEXT, .into = &sent.client_ip},
        {.name = "transaction", .kind = ARG_TEXT, .into = &sent.transaction},
        {.name = "accepted", .kind = ARG_TIME, .into = &sent.sent_ms},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    sent.recipient_total = recipients.count;
    if (code == CTL_FINE)
        code = check_words(ctl, command, &sent, argc - first, argv + first);
    if (code == CTL_FINE) {
        sent.sender = ctl_bare(sent.sender);
        for (size_t i = 0; i < recipients.count; i++)
            recipients.text[i] = ctl_bare(recipients.text[i]);
        sent.recipients = recipients.text;
        sent.at_ms = ctl->at_ms; // --at may stand behind the command
        code = first < argc ? tell_with_headers(ctl, &sent) : tell(ctl, &sent);
    }
    mem_free((void *)recipients.text);
    return code;
}
