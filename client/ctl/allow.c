// allow.c: `reevectl allow list|show|disable|forget`: whom a user has written to, so that the answers are
// let through (Auto Allow).
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/line.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

// What somebody reads when there are rows, and when there are none.
static const struct allow_words {
    const char *name, *verb;
    const char *found, *dry, *nothing;
} WORDS[] = {
    {"list", "allow.list", "", "", "has written to nobody lately"},
    {"show", "allow.show", "", "", "has not written to that address lately"},
    {"disable", "allow.disable", "not let through any more, until the user writes again",
     "would not be let through any more", "has not written to that address lately"},
    {"forget", "allow.forget", "forgotten", "would be forgotten",
     "has not written to that address lately"},
};

struct wish {
    const struct allow_words *words;
    struct reeve_pair user, external; // without a user it is the organisation's
    bool is_org, dry_run;
};

static const struct allow_words *find_words(const char *name)
{
    size_t i = 0;

    while (strcmp(WORDS[i].name, name) != 0)
        i++;
    return &WORDS[i];
}

static void print_entries(const struct reeve_answer *answer)
{
    static const char *const titles[] = {
        "USER", "HAS WRITTEN TO", "LAST", "LETS THROUGH UNTIL", "DISABLED", NULL};
    struct table table;

    table_begin(&table, titles);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];
        char time[WHEN_MAX];

        table_cell(&table, print_field(row, "user"));
        table_cell(&table, print_field(row, "external"));
        table_cell(&table, print_time(row, "last_sent", time));
        table_cell(&table, print_time(row, "until", time));
        table_cell(&table, print_time(row, "disabled_at", time));
    }
    table_end(&table, stdout);
}

static const char *user_of(const struct wish *wish)
{
    return wish->user.value == NULL ? "the organisation" : wish->user.value;
}

static void print_answer(const struct wish *wish, const struct reeve_answer *answer)
{
    const struct allow_words *words = wish->words;
    const char *outcome = wish->dry_run ? words->dry : words->found;

    if (outcome[0] != '\0')
        (void)printf("mail from <%s> to %s: %s\n", wish->external.value, user_of(wish), outcome);
    print_entries(answer);
}

// ask_page: *cursor becomes where the next page begins (owned), NULL at the end. Only a list has pages.
static int ask_page(struct ctl *ctl, const struct wish *wish, char **cursor, size_t *count)
{
    struct reeve_pair args[2];
    size_t count_args = 0;
    struct reeve_answer *answer = NULL;
    int code;

    if (wish->user.value != NULL)
        args[count_args++] = wish->user;
    if (wish->external.value != NULL)
        args[count_args++] = wish->external;
    else if (*cursor != NULL)
        args[count_args++] = (struct reeve_pair){"cursor", *cursor};
    code = ctl_admin(ctl, wish->words->verb, args, count_args, wish->dry_run, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json && answer->row_count > 0)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else if (answer->row_count > 0)
        print_answer(wish, answer);
    *count += answer->row_count;
    mem_free(*cursor);
    *cursor = answer->cursor[0] != '\0' ? mem_text(answer->cursor) : NULL;
    reeve_answer_free(&answer);
    return CTL_FINE;
}

static int tell_nothing(struct ctl *ctl, const struct wish *wish)
{
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, NULL, 0);
    else
        (void)printf("%s %s\n", user_of(wish), wish->words->nothing);
    return CTL_NEGATIVE;
}

// ask: a page may be empty although others follow it.
static int ask(struct ctl *ctl, const struct wish *wish)
{
    char *cursor = NULL;
    size_t count = 0;
    int code;

    do {
        code = ask_page(ctl, wish, &cursor, &count);
    } while (code == CTL_FINE && cursor != NULL);
    mem_free(cursor);
    return code == CTL_FINE && count == 0 ? tell_nothing(ctl, wish) : code;
}

// take_line: of a line of a mail log about mail that came in: the user is its recipient.
static int take_line(struct ctl *ctl, const struct command *command, int argc, char **argv,
                     struct line *line)
{
    char *text = line_take(argc, argv);
    int code;

    line_read(text, line);
    mem_free(text);
    code = line_follow(ctl, line);
    if (code == CTL_FINE && (!line->has_sender || !line->has_recipient))
        return ctl_misuse(ctl, command,
                          "that line has neither a ticket (of a decision about a recipient) nor "
                          "from=<> and to=<>; use --user ADDRESS --external ADDRESS");
    return code;
}

static int check_pair(struct ctl *ctl, const struct command *command, const struct wish *wish)
{
    if (wish->is_org == (wish->user.value != NULL))
        return ctl_misuse(ctl, command, "expected one of --user and --org");
    if (wish->external.value == NULL)
        return ctl_misuse(
            ctl, command,
            "--external is missing: the address outside that the user has written to");
    return CTL_FINE;
}

int run_allow_list(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct wish wish = {.words = find_words("list"), .user = {"user", NULL}};
    const struct arg_row rows[] = {
        {.name = "user", .kind = ARG_TEXT, .into = (void *)&wish.user.value},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE && wish.user.value == NULL)
        code = ctl_misuse(ctl, command, "--user is missing: the address of one of your own users");
    return code == CTL_FINE ? ask(ctl, &wish) : code;
}

int run_allow(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct wish wish = {
        .words = find_words(command->name), .user = {"user", NULL}, .external = {"external", NULL}};
    const struct arg_row rows[] = {
        {.name = "user", .kind = ARG_TEXT, .into = (void *)&wish.user.value},
        {.name = "org", .kind = ARG_FLAG, .into = &wish.is_org},
        {.name = "external", .kind = ARG_TEXT, .into = (void *)&wish.external.value},
        {.name = strcmp(command->name, "show") == 0 ? NULL : "dry-run",
         .kind = ARG_FLAG,
         .into = &wish.dry_run},
        {.name = NULL},
    };
    struct line line;
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE && first < argc &&
        (wish.user.value != NULL || wish.external.value != NULL || wish.is_org))
        return ctl_misuse(ctl, command, "'%s' was not expected here: a line of a log, or addresses",
                          argv[first]);
    if (code == CTL_FINE && first < argc) {
        code = take_line(ctl, command, argc - first, argv + first, &line);
        wish.user.value = line.recipient;
        wish.external.value = line.sender;
    } else if (code == CTL_FINE) {
        code = check_pair(ctl, command, &wish);
    }
    return code == CTL_FINE ? ask(ctl, &wish) : code;
}
