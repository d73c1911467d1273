// list.c: `reevectl managed list`: the personal list of a mailbox, or all there are: as a table, as JSON, or as
// comma-separated values that `managed import` reads again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/managed/managed.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { TABLE_ROWS = 500 };

struct listing {
    struct ctl *ctl;
    bool wants_csv;
    struct table table;
    size_t in_table;   // rows
    bool has_answered; // the node, for some of it
    size_t count;
};

// All pages of one question.
struct pages {
    struct reeve_answer **answer;
    size_t answers;
    const struct reeve_row **row;
    size_t rows;
};

static void pages_free(struct pages *pages)
{
    for (size_t i = 0; i < pages->answers; i++)
        reeve_answer_free(&pages->answer[i]);
    mem_free((void *)pages->answer);
    mem_free((void *)pages->row);
    *pages = (struct pages){.rows = 0};
}

static void pages_add(struct pages *pages, struct reeve_answer *answer)
{
    pages->answer = mem_grow((void *)pages->answer, pages->answers + 1, sizeof(*pages->answer));
    pages->answer[pages->answers++] = answer;
    pages->row =
        mem_grow((void *)pages->row, pages->rows + answer->row_count + 1, sizeof(*pages->row));
    for (size_t i = 0; i < answer->row_count; i++)
        pages->row[pages->rows++] = &answer->rows[i];
}

static int compare(const void *a, const void *b)
{
    const struct reeve_row *one = *(const struct reeve_row *const *)a;
    const struct reeve_row *other = *(const struct reeve_row *const *)b;
    int order = strcmp(print_field(one, "user"), print_field(other, "user"));

    return order != 0 ? order : strcmp(print_field(one, "pattern"), print_field(other, "pattern"));
}

// pages_sort: by user and pattern; what came twice, once.
static void pages_sort(struct pages *pages)
{
    size_t kept = 0;

    if (pages->rows == 0)
        return;
    qsort((void *)pages->row, pages->rows, sizeof(*pages->row), compare);
    for (size_t i = 0; i < pages->rows; i++)
        if (kept == 0 || compare(&pages->row[kept - 1], &pages->row[i]) != 0)
            pages->row[kept++] = pages->row[i];
    pages->rows = kept;
}

// ask_all: every page. user NULL: of the mailboxes that have a list. CTL_FINE, or the exit code after the error was told.
static int ask_all(struct listing *listing, const char *user, struct pages *out)
{
    const char *cursor = "";
    int code = CTL_FINE;

    do {
        const struct reeve_pair args[] = {{"limit", "500"}, {"cursor", cursor}, {"user", user}};
        const struct reeve_admin_request request = {.verb = user != NULL ? "managed.list"
                                                                         : "managed.users",
                                                    .args = args,
                                                    .arg_count = user != NULL ? 3 : 2};
        struct reeve_answer *answer = NULL;

        code = managed_ask(listing->ctl, &request, listing->has_answered, NULL, &answer);
        if (code != CTL_FINE)
            return code;
        listing->has_answered = true;
        pages_add(out, answer);
        cursor = answer->cursor;
    } while (cursor[0] != '\0');
    pages_sort(out);
    return CTL_FINE;
}

// ---- printing

static void put_quoted(const char *text)
{
    if (text[strcspn(text, ",;\"\t")] == '\0' && text[0] != ' ') {
        (void)fputs(text, stdout);
        return;
    }
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            (void)putchar('"');
        (void)putchar(*text);
    }
    (void)putchar('"');
}

static void print_csv(const struct reeve_row *row)
{
    static const char *const fields[] = {"user", "pattern", "action", "until",
                                         "note", "owner",   "since"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (i > 0)
            (void)putchar(',');
        put_quoted(print_field(row, fields[i]));
    }
    (void)putchar('\n');
}

static void end_table(struct listing *listing)
{
    if (listing->in_table > 0)
        table_end(&listing->table, stdout);
    listing->in_table = 0;
}

static void add_row(struct listing *listing, const struct reeve_row *row)
{
    static const char *const titles[] = {"USER",  "PATTERN", "ACTION", "UNTIL",
                                         "SINCE", "OWNER",   "NOTE",   NULL};
    const bool is_over = print_field(row, "over")[0] != '\0';
    const char *action = print_field(row, "action");
    char time[WHEN_MAX], until[WHEN_MAX + sizeof(" (over)")];

    if (listing->in_table == 0)
        table_begin(&listing->table, titles);
    (void)snprintf(until, sizeof(until), "%s%s", print_time(row, "until", time),
                   is_over ? " (over)" : "");
    table_cell(&listing->table, print_field(row, "user"));
    table_cell(&listing->table, print_field(row, "pattern"));
    table_cell(&listing->table, action[0] != '\0' ? action : "unreadable");
    table_cell(&listing->table, until);
    table_cell(&listing->table, print_time(row, "since", time));
    table_cell(&listing->table, print_field(row, "owner"));
    table_cell(&listing->table, print_field(row, "note"));
    if (++listing->in_table == TABLE_ROWS)
        end_table(listing);
}

static void print_one(struct listing *listing, const struct reeve_row *row)
{
    listing->count++;
    if (listing->ctl->want_json)
        print_row_json(&listing->ctl->json, NULL, row);
    else if (listing->wants_csv)
        print_csv(row);
    else
        add_row(listing, row);
}

// ---- one, or all

static int list_user(struct listing *listing, const char *user)
{
    struct pages pages = {.rows = 0};
    int code = ask_all(listing, user, &pages);

    for (size_t i = 0; i < pages.rows && code == CTL_FINE; i++)
        print_one(listing, pages.row[i]);
    pages_free(&pages);
    return code;
}

static int list_all(struct listing *listing)
{
    struct pages users = {.rows = 0};
    int code = ask_all(listing, NULL, &users);

    for (size_t i = 0; i < users.rows && code == CTL_FINE; i++)
        code = list_user(listing, print_field(users.row[i], "user"));
    pages_free(&users);
    return code;
}

int run_managed_list(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct listing listing = {.ctl = ctl};
    const char *user = NULL;
    const struct arg_row rows[] = {
        {.name = "user", .kind = ARG_TEXT, .into = &user},
        {.name = "csv", .kind = ARG_FLAG, .into = &listing.wants_csv},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE && listing.wants_csv && ctl->want_json)
        code = ctl_misuse(ctl, command, "expected one of --csv and --json");
    if (code != CTL_FINE)
        return code;
    if (listing.wants_csv)
        (void)puts("user,pattern,action,until,note,owner,since");
    code = user != NULL ? list_user(&listing, user) : list_all(&listing);
    end_table(&listing);
    if (code != CTL_FINE || listing.count > 0)
        return code;
    if (!ctl->want_json && !listing.wants_csv)
        (void)printf("%s\n", user != NULL ? "that list has no entry" : "nobody has a list");
    return CTL_NEGATIVE;
}
