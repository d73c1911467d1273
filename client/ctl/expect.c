// expect.c: `reevectl expect`: no greylisting for a recipient for a while, so that a login code does
// not wait.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/line.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { LIST_PAGE = 500 };

static void print_list(const struct reeve_answer *answer)
{
    static const char *const titles[] = {"RECIPIENT", "UNTIL", "SINCE", "NOTE", NULL};
    struct table table;

    table_begin(&table, titles);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];
        char time[WHEN_MAX];

        table_cell(&table, print_field(row, "recipient"));
        table_cell(&table, print_time(row, "until", time));
        table_cell(&table, print_time(row, "since", time));
        table_cell(&table, print_field(row, "note"));
    }
    table_end(&table, stdout);
}

// list_page: prints one page; *cursor becomes where the next begins (owned), NULL at the end.
static int list_page(struct ctl *ctl, char **cursor, size_t *count)
{
    char limit[24];
    const struct reeve_pair args[] = {{"limit", limit}, {"cursor", *cursor != NULL ? *cursor : ""}};
    struct reeve_answer *answer = NULL;

    (void)snprintf(limit, sizeof(limit), "%d", LIST_PAGE);
    int code = ctl_admin(ctl, "expect.list", args, 2, false, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else if (answer->row_count > 0)
        print_list(answer);
    *count += answer->row_count;
    mem_free(*cursor);
    *cursor = answer->cursor[0] != '\0' ? mem_text(answer->cursor) : NULL;
    reeve_answer_free(&answer);
    return CTL_FINE;
}

static int list_all(struct ctl *ctl)
{
    char *cursor = NULL;
    size_t count = 0;
    int code = CTL_FINE;

    do {
        code = list_page(ctl, &cursor, &count);
    } while (code == CTL_FINE && cursor != NULL);
    mem_free(cursor);
    if (code == CTL_FINE && count == 0 && !ctl->want_json)
        (void)printf("no mail is expected\n");
    return code;
}

static void print_outcome(const char *recipient, bool cancels, const struct reeve_answer *answer)
{
    char until[WHEN_MAX];

    if (answer->row_count == 0)
        (void)printf("mail to <%s>: none was expected\n", recipient);
    else if (cancels)
        (void)printf("mail to <%s>: greylisted again\n",
                     print_field(&answer->rows[0], "recipient"));
    else
        (void)printf("mail to <%s>: not greylisted until %s\n",
                     print_field(&answer->rows[0], "recipient"),
                     print_time(&answer->rows[0], "until", until));
}

struct wish {
    uint64_t for_ms;
    const char *note;
    bool cancels, lists;
};

static int ask(struct ctl *ctl, const struct wish *wish, const char *recipient)
{
    char span[24];
    const struct reeve_pair args[] = {
        {"recipient", recipient}, {"for", span}, {"note", wish->note != NULL ? wish->note : ""}};
    struct reeve_answer *answer = NULL;

    (void)snprintf(span, sizeof(span), "%llu", (unsigned long long)wish->for_ms);
    int code = ctl_admin(ctl, wish->cancels ? "expect.remove" : "expect.add", args,
                         wish->cancels ? 1 : 3, false, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else
        print_outcome(recipient, wish->cancels, answer);
    code = answer->row_count > 0 ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

// One word with an @ is an address, anything else a line of a mail log.
static int ask_for(struct ctl *ctl, const struct command *command, const struct wish *wish,
                   int argc, char **argv)
{
    struct line line;
    bool is_address =
        argc == 1 && strchr(argv[0], '@') != NULL && strpbrk(argv[0], " \t<>=") == NULL;

    if (is_address)
        return ask(ctl, wish, argv[0]);
    char *text = line_take(argc, argv);

    line_read(text, &line);
    mem_free(text);
    int code = line_follow(ctl, &line);

    if (code == CTL_FINE && !line.has_recipient)
        return ctl_misuse(ctl, command,
                          "that is no address, and no line with a ticket (of a decision about a "
                          "recipient) or with to=<>");
    return code == CTL_FINE ? ask(ctl, wish, line.recipient) : code;
}

// What the options say among themselves; NULL, or what is wrong.
static const char *contradiction(const struct wish *wish, bool has_words)
{
    bool has_span = wish->for_ms > 0;

    if (wish->lists && (wish->cancels || has_span || wish->note != NULL || has_words))
        return "--list stands alone";
    if (wish->cancels && (has_span || wish->note != NULL))
        return "--cancel takes neither --for nor --note";
    if (!wish->lists && !has_words)
        return "an address, or a line of a mail log, is missing";
    if (!wish->lists && !wish->cancels && !has_span)
        return "--for is missing: how long, like 10m";
    return NULL;
}

int run_expect(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct wish wish = {.for_ms = 0};
    const struct arg_row rows[] = {
        {.name = "for", .kind = ARG_SPAN, .into = &wish.for_ms},
        {.name = "note", .kind = ARG_TEXT, .into = &wish.note},
        {.name = "cancel", .kind = ARG_FLAG, .into = &wish.cancels},
        {.name = "list", .kind = ARG_FLAG, .into = &wish.lists},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code != CTL_FINE)
        return code;
    const char *wrong = contradiction(&wish, first < argc);

    if (wrong != NULL)
        return ctl_misuse(ctl, command, "%s", wrong);
    return wish.lists ? list_all(ctl) : ask_for(ctl, command, &wish, argc - first, argv + first);
}
