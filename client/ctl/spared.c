// spared.c: `reevectl spared show|forget`: whether greylisting spares a client, and by what.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"

// A client may be spared while nobody knows any more by what: then its row has no pair.
static void print_pairs(const struct reeve_answer *answer)
{
    static const char *const titles[] = {"PAIR", "PASSED ON", "COUNTS UNTIL", NULL};
    struct table table;

    if (print_field(&answer->rows[0], "pair")[0] == '\0')
        return;
    table_begin(&table, titles);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];
        char time[WHEN_MAX];

        table_cell(&table, print_field(row, "pair"));
        table_cell(&table, print_time(row, "day", time));
        table_cell(&table, print_time(row, "until", time));
    }
    table_end(&table, stdout);
}

static void print_outcome(const struct command *command, bool dry_run,
                          const struct reeve_answer *answer)
{
    const struct reeve_row *row = answer->row_count > 0 ? &answer->rows[0] : NULL;
    bool is_spared = row != NULL && strcmp(print_field(row, "spared"), "true") == 0;
    char time[WHEN_MAX];

    if (row == NULL)
        (void)puts("nothing is stored: none of its retries passed, or too long ago");
    else if (strcmp(command->name, "show") != 0)
        (void)puts(dry_run ? "would be forgotten" : "forgotten; it is spared no more");
    else if (is_spared)
        (void)printf("spared, until %s if no mail of it comes\n",
                     print_time(row, "spared_until", time));
    else
        (void)puts("not spared: 5 different pairs on 2 days are needed");
}

static void print_spared(const struct command *command, const char *who, bool dry_run,
                         const struct reeve_answer *answer)
{
    (void)printf("client %s: ",
                 answer->row_count > 0 ? print_field(&answer->rows[0], "client") : who);
    print_outcome(command, dry_run, answer);
    if (answer->row_count > 0)
        print_pairs(answer);
}

static int ask(struct ctl *ctl, const struct command *command, const struct reeve_pair *who,
               bool dry_run)
{
    const char *verb = strcmp(command->name, "show") == 0 ? "spared.show" : "spared.forget";
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, verb, who, 1, dry_run, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else
        print_spared(command, who->value, dry_run, answer);
    code = answer->row_count > 0 ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

int run_spared(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct reeve_pair ip = {.key = "client_ip"};
    struct reeve_pair domain = {.key = "spf_domain"};
    bool dry_run = false;
    const struct arg_row rows[] = {
        {.name = "ip", .kind = ARG_TEXT, .into = &ip.value},
        {.name = "spf-domain", .kind = ARG_TEXT, .into = &domain.value},
        {.name = strcmp(command->name, "show") == 0 ? NULL : "dry-run",
         .kind = ARG_FLAG,
         .into = &dry_run},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code != CTL_FINE)
        return code;
    if ((ip.value == NULL) == (domain.value == NULL))
        return ctl_misuse(ctl, command, "expected one of --ip and --spf-domain");
    return ask(ctl, command, ip.value != NULL ? &ip : &domain, dry_run);
}
