// grey.c: `reevectl grey show|pass|forget`: what is stored of one sender and one recipient, named by
// their addresses or by a line of a mail log.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/line.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

// What somebody reads when there are rows, and when there are none.
static const struct grey_words {
    const char *name, *verb;
    const char *found, *dry, *nothing;
} words[] = {
    {"show", "grey.show", "stored", "stored",
     "nothing is stored: it was never tried, or too long ago, or it was not greylisted"},
    {"pass", "grey.pass", "passes from now on, whatever server it comes from", "stored",
     "nothing is stored"},
    {"forget", "grey.forget", "forgotten; the next try is a first try", "would be forgotten",
     "there was nothing to forget"},
};

static const struct grey_words *find_words(const char *name)
{
    size_t i = 0;

    while (strcmp(words[i].name, name) != 0)
        i++;
    return &words[i];
}

static void print_entries(const struct reeve_answer *answer)
{
    static const char *const titles[] = {"IDENTITY",    "STATE",      "FIRST TRIED", "RETRY PASSES",
                                         "LAST PASSED", "KEPT UNTIL", NULL};
    struct table table;

    table_begin(&table, titles);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];
        char time[WHEN_MAX];

        table_cell(&table, print_field(row, "identity"));
        table_cell(&table, print_field(row, "state"));
        table_cell(&table, print_time(row, "first_seen", time));
        table_cell(&table, print_time(row, "retry_from", time));
        table_cell(&table, print_time(row, "last_seen", time));
        table_cell(&table, print_time(row, "until", time));
    }
    table_end(&table, stdout);
}

static void print_grey(const struct grey_words *said, const struct reeve_pair *args, bool dry_run,
                       const struct reeve_answer *answer)
{
    const char *outcome = dry_run ? said->dry : said->found;

    if (answer->row_count == 0)
        outcome = said->nothing;
    (void)printf("mail from <%s> to <%s>: %s\n",
                 strcmp(args[0].value, "<>") == 0 ? "" : args[0].value, args[1].value, outcome);
    if (answer->row_count > 0)
        print_entries(answer);
}

static int ask(struct ctl *ctl, const struct grey_words *said, const struct reeve_pair *args,
               bool dry_run)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, said->verb, args, 2, dry_run, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else
        print_grey(said, args, dry_run, answer);
    code = answer->row_count > 0 ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

// take_line: sender and recipient out of a pasted line of a mail log.
static int take_line(struct ctl *ctl, const struct command *command, int argc, char **argv,
                     struct line *line)
{
    char *text = line_take(argc, argv);
    int code = CTL_FINE;

    line_read(text, line);
    mem_free(text);
    code = line_follow(ctl, line);
    if (code == CTL_FINE && (!line->has_sender || !line->has_recipient))
        return ctl_misuse(ctl, command,
                          "that line has neither a ticket (of a decision about a recipient) nor "
                          "from=<> and to=<>; use --from ADDRESS --to ADDRESS");
    return code;
}

static int read_pair(struct ctl *ctl, const struct command *command, struct reeve_pair args[2])
{
    if (args[0].value == NULL || args[1].value == NULL)
        return ctl_misuse(ctl, command, "%s is missing%s",
                          args[0].value == NULL ? "--from" : "--to",
                          args[0].value == NULL ? " (the null sender is written as '<>')" : "");
    return CTL_FINE;
}

int run_grey(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct reeve_pair args[] = {{.key = "sender"}, {.key = "recipient"}};
    bool dry_run = false;
    const struct arg_row rows[] = {
        {.name = "from", .kind = ARG_TEXT, .into = &args[0].value},
        {.name = "to", .kind = ARG_TEXT, .into = &args[1].value},
        {.name = strcmp(command->name, "show") == 0 ? NULL : "dry-run",
         .kind = ARG_FLAG,
         .into = &dry_run},
        {.name = NULL},
    };
    struct line line;
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE && first < argc && (args[0].value != NULL || args[1].value != NULL))
        return ctl_misuse(ctl, command, "'%s' was not expected here: a line of a log, or addresses",
                          argv[first]);
    if (code == CTL_FINE && first < argc) {
        code = take_line(ctl, command, argc - first, argv + first, &line);
        args[0].value = line.sender;
        args[1].value = line.recipient;
    } else if (code == CTL_FINE) {
        code = read_pair(ctl, command, args);
    }
    if (code != CTL_FINE)
        return code;
    if (args[0].value[0] == '\0')
        args[0].value = "<>";
    return ask(ctl, find_words(command->name), args, dry_run);
}
