// directory.c: `reevectl directory status|show|drop`: which domains have a directory, and what one says of an address.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

// ---- status

static void print_page(const struct reeve_answer *answer)
{
    static const char *const titles[] = {"DOMAIN", "RECIPIENTS", "ADDRESSES", "SINCE", "BY", NULL};
    struct table table;

    table_begin(&table, titles);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];
        const bool is_missing = print_field(row, "at")[0] == '\0';
        char time[WHEN_MAX];

        table_cell(&table, print_field(row, "domain"));
        table_cell(&table, print_field(row, "recipients"));
        table_cell(&table,
                   is_missing ? "none imported: any is taken" : print_field(row, "entries"));
        table_cell(&table, print_time(row, "at", time));
        table_cell(&table, print_field(row, "by"));
    }
    table_end(&table, stdout);
}

static int status_page(struct ctl *ctl, char **cursor, size_t *count)
{
    const struct reeve_pair args[] = {{"limit", "400"}, {"cursor", *cursor != NULL ? *cursor : ""}};
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, "directory.status", args, 2, false, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else if (answer->row_count > 0)
        print_page(answer);
    *count += answer->row_count;
    mem_free(*cursor);
    *cursor = answer->cursor[0] != '\0' ? mem_text(answer->cursor) : NULL;
    reeve_answer_free(&answer);
    return CTL_FINE;
}

static int status(struct ctl *ctl)
{
    char *cursor = NULL;
    size_t count = 0;
    int code = CTL_FINE;

    do {
        code = status_page(ctl, &cursor, &count);
    } while (code == CTL_FINE && cursor != NULL);
    mem_free(cursor);
    if (code == CTL_FINE && count == 0 && !ctl->want_json)
        (void)puts("no domain has a directory");
    return code;
}

// ---- one domain, one address

static void print_dropped(const char *domain, bool dry_run, const struct reeve_answer *answer)
{
    if (answer->row_count == 0)
        (void)printf("%s has no directory\n", domain);
    else
        (void)printf("%s: %s addresses %s\n", print_field(&answer->rows[0], "domain"),
                     print_field(&answer->rows[0], "entries"),
                     dry_run ? "would be dropped" : "dropped; any recipient is taken from now on");
}

static int ask(struct ctl *ctl, const char *verb, const struct reeve_pair *arg, bool dry_run)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, verb, arg, 1, dry_run, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else if (strcmp(verb, "directory.drop") == 0)
        print_dropped(arg->value, dry_run, answer);
    else
        for (size_t i = 0; i < answer->row_count; i++)
            print_row(&answer->rows[i], stdout);
    code = answer->row_count > 0 ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

int run_directory(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    const bool drops = strcmp(command->name, "drop") == 0;
    const bool lists = strcmp(command->name, "status") == 0;
    bool dry_run = false;
    const struct arg_row rows[] = {
        {.name = drops ? "dry-run" : NULL, .kind = ARG_FLAG, .into = &dry_run},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code != CTL_FINE)
        return code;
    if (argc - first != (lists ? 0 : 1))
        return ctl_misuse(ctl, command, "expected %s",
                          lists ? "no word behind it" : (drops ? "a domain" : "an address"));
    if (lists)
        return status(ctl);
    const struct reeve_pair arg = {drops ? "domain" : "address", argv[first]};

    return ask(ctl, drops ? "directory.drop" : "directory.show", &arg, dry_run);
}
