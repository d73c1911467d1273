// blocked.c: `reevectl blocked list|show|lift`: clients that are banned because they tried out which recipients exist.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { LIST_PAGE = 500 };

static bool is_banned(const struct reeve_row *row)
{
    return strcmp(print_field(row, "banned"), "true") == 0;
}

// ---- the list

static void add_row(struct table *table, const struct reeve_row *row)
{
    char time[WHEN_MAX];

    table_cell(table, print_field(row, "client"));
    table_cell(table, print_time(row, "until", time));
    table_cell(table, print_time(row, "since", time));
    table_cell(table, print_field(row, "unknown"));
    table_cell(table, print_field(row, "existing"));
}

struct listing {
    struct ctl *ctl;
    struct table table;
    bool has_begun;
    uint64_t left; // rows that may still be printed
    char *cursor;  // where the next page begins; NULL = at the end
    size_t count;
};

static void begin_list(struct listing *listing)
{
    static const char *const titles[] = {"CLIENT", "UNTIL", "SINCE", "UNKNOWN", "EXISTING", NULL};

    if (listing->has_begun)
        return;
    listing->has_begun = true;
    if (listing->ctl->want_json)
        json_open(&listing->ctl->json, NULL, '[');
    else
        table_begin(&listing->table, titles);
}

static void take_page(struct listing *listing, const struct reeve_answer *answer)
{
    begin_list(listing);
    for (size_t i = 0; i < answer->row_count; i++) {
        if (listing->ctl->want_json)
            print_row_json(&listing->ctl->json, NULL, &answer->rows[i]);
        else
            add_row(&listing->table, &answer->rows[i]);
    }
    listing->count += answer->row_count;
    listing->left -= answer->row_count < listing->left ? answer->row_count : listing->left;
    mem_free(listing->cursor);
    listing->cursor = answer->cursor[0] != '\0' ? mem_text(answer->cursor) : NULL;
}

static int list_page(struct listing *listing, const char *ip)
{
    char limit[24];
    const struct reeve_pair args[] = {{"limit", limit},
                                      {"cursor", listing->cursor != NULL ? listing->cursor : ""},
                                      {"client_ip", ip != NULL ? ip : ""}};
    struct reeve_answer *answer = NULL;

    (void)snprintf(limit, sizeof(limit), "%llu",
                   (unsigned long long)(listing->left < LIST_PAGE ? listing->left : LIST_PAGE));
    int code = ctl_admin(listing->ctl, "blocked.list", args, 3, false, &answer);

    if (code != CTL_FINE)
        return code;
    take_page(listing, answer);
    reeve_answer_free(&answer);
    return CTL_FINE;
}

static void end_list(struct listing *listing)
{
    mem_free(listing->cursor);
    if (!listing->has_begun)
        return;
    if (listing->ctl->want_json)
        json_close(&listing->ctl->json, ']');
    else if (listing->count > 0)
        table_end(&listing->table, stdout);
    else
        table_drop(&listing->table);
    if (listing->count == 0 && !listing->ctl->want_json)
        (void)puts("nobody is banned");
}

static int list(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct listing listing = {.ctl = ctl, .left = UINT64_MAX};
    const char *ip = NULL;
    uint64_t limit = 0;
    const struct arg_row rows[] = {
        {.name = "ip", .kind = ARG_TEXT, .into = &ip},
        {.name = "limit", .kind = ARG_COUNT, .into = &limit},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code != CTL_FINE)
        return code;
    if (limit > 0)
        listing.left = limit;
    do {
        code = list_page(&listing, ip);
    } while (code == CTL_FINE && listing.cursor != NULL && listing.left > 0);
    end_list(&listing);
    return code == CTL_FINE && listing.count == 0 ? CTL_NEGATIVE : code;
}

// ---- one client

static void print_shown(const struct reeve_row *row)
{
    char time[WHEN_MAX];

    if (is_banned(row))
        (void)printf("banned until %s", print_time(row, "until", time));
    else
        (void)printf("not banned");
    if (print_field(row, "since")[0] != '\0') {
        (void)printf(is_banned(row) ? ", since %s" : ", but it was, from %s",
                     print_time(row, "since", time));
        if (!is_banned(row))
            (void)printf(" to %s", print_time(row, "until", time));
        (void)printf(", for %s recipients that do not exist beside %s that do",
                     print_field(row, "unknown"), print_field(row, "existing"));
    }
    (void)putchar('\n');
    (void)printf("in this hour it named %s recipients that do not exist",
                 print_field(row, "unknown_this_hour"));
    if (strcmp(print_field(row, "existing_this_hour"), "0") != 0)
        (void)printf(", and %s that do", print_field(row, "existing_this_hour"));
    (void)putchar('\n');
}

static const char *lifted_words(bool banned, bool dry_run)
{
    if (banned)
        return dry_run ? "its ban would be lifted" : "its ban is lifted, on every node";
    return dry_run ? "it is not banned"
                   : "it was not banned; what was counted of it in this hour counts no more";
}

static void print_one(const struct command *command, bool dry_run, const struct reeve_row *row)
{
    (void)printf("client %s: ", print_field(row, "client"));
    if (strcmp(command->name, "show") == 0)
        print_shown(row);
    else
        (void)puts(lifted_words(is_banned(row), dry_run));
}

// show: is anything known of it? lift: was it banned?
static bool is_found(const struct command *command, const struct reeve_row *row)
{
    return is_banned(row) || (strcmp(command->name, "show") == 0 &&
                              (print_field(row, "since")[0] != '\0' ||
                               strcmp(print_field(row, "unknown_this_hour"), "0") != 0));
}

static int ask(struct ctl *ctl, const struct command *command, const char *ip, bool dry_run)
{
    const char *verb = strcmp(command->name, "show") == 0 ? "blocked.show" : "blocked.lift";
    const struct reeve_pair arg = {"client_ip", ip};
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, verb, &arg, 1, dry_run, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else if (answer->row_count > 0)
        print_one(command, dry_run, &answer->rows[0]);
    code = answer->row_count > 0 && is_found(command, &answer->rows[0]) ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

int run_blocked(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    const char *ip = NULL;
    bool dry_run = false;
    const struct arg_row rows[] = {
        {.name = "ip", .kind = ARG_TEXT, .into = &ip},
        {.name = strcmp(command->name, "show") == 0 ? NULL : "dry-run",
         .kind = ARG_FLAG,
         .into = &dry_run},
        {.name = NULL},
    };

    if (strcmp(command->name, "list") == 0)
        return list(ctl, command, argc, argv);
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code != CTL_FINE)
        return code;
    if (ip == NULL)
        return ctl_misuse(ctl, command, "expected --ip");
    return ask(ctl, command, ip, dry_run);
}
