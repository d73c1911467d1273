// track.c: `reevectl track` and `reevectl grey list`: decisions that were made.
#include "client/ctl/track.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/ticket.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { APPLIED_DIGITS = 9 };

// ---- pages

struct page_args {
    struct reeve_pair pair[TRACK_ARGS_MAX];
    size_t count;
    char since[24], limit[24];
};

static void add_arg(struct page_args *args, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0')
        args->pair[args->count++] = (struct reeve_pair){.key = key, .value = value};
}

static void fill_args(struct page_args *args, const struct track_query *query, const char *cursor,
                      uint64_t left)
{
    *args = (struct page_args){.count = 0};
    (void)snprintf(args->since, sizeof(args->since), "%llu", (unsigned long long)query->since_ms);
    (void)snprintf(args->limit, sizeof(args->limit), "%llu",
                   (unsigned long long)(left < TRACK_PAGE ? left : TRACK_PAGE));
    add_arg(args, "ticket", query->ticket);
    add_arg(args, "sender", query->sender);
    add_arg(args, "recipient", query->recipient);
    add_arg(args, "client_ip", query->client_ip);
    add_arg(args, "reason", query->reason);
    add_arg(args, "since", query->since_ms > 0 ? args->since : "");
    add_arg(args, "limit", args->limit);
    add_arg(args, "cursor", cursor);
}

int track_read(struct ctl *ctl, const struct track_query *query,
               void (*fn)(void *arg, const struct reeve_row *rows, size_t count), void *arg,
               uint64_t *count)
{
    uint64_t left = query->limit > 0 ? query->limit : UINT64_MAX;
    char *cursor = NULL;
    int code = CTL_FINE;

    do {
        struct reeve_answer *answer = NULL;
        struct page_args args;

        fill_args(&args, query, cursor, left);
        code = ctl_admin(ctl, query->verb, args.pair, args.count, false, &answer);
        mem_free(cursor);
        cursor = NULL;
        if (code != CTL_FINE)
            break;
        fn(arg, answer->rows, answer->row_count);
        left -= answer->row_count < left ? answer->row_count : left;
        cursor = answer->cursor[0] == '\0' ? NULL : mem_text(answer->cursor);
        reeve_answer_free(&answer);
    } while (cursor != NULL && left > 0);
    mem_free(cursor);
    if (count != NULL)
        *count = (query->limit > 0 ? query->limit : UINT64_MAX) - left;
    return code;
}

// ---- what is printed

struct listing {
    struct ctl *ctl;
    struct table table;
    bool is_grey; // the columns of `grey list`
    bool is_one;  // one decision, in full
    bool has_begun;
};

static const char *came_back(const struct reeve_row *row)
{
    const char *failed = print_field(row, "failed_to_retry");

    if (strcmp(failed, "true") == 0)
        return "no";
    return strcmp(failed, "false") == 0 ? "yes" : "";
}

static const char *or_shadow(const struct reeve_row *row, char *out, size_t size)
{
    const char *shadow = print_field(row, "shadow");

    if (shadow[0] == '\0')
        return print_field(row, "reason");
    (void)snprintf(out, size, "%s (%s in shadow)", print_field(row, "reason"), shadow);
    return out;
}

// policy_of: the version of a set that was applied. Plain files have a number of many digits, which would only widen the table.
static const char *policy_of(const struct reeve_row *row)
{
    const char *version = print_field(row, "policy_version");

    return strlen(version) <= APPLIED_DIGITS ? version : "files";
}

// sender_of: with the login, where there was one.
static const char *sender_of(const struct reeve_row *row, char *out, size_t size)
{
    const char *sender = print_field(row, "sender"), *login = print_field(row, "auth_user");

    if (login[0] == '\0' || strcasecmp(login, sender) == 0)
        return sender;
    (void)snprintf(out, size, "%s (%s)", sender, login);
    return out;
}

static void add_row(struct listing *listing, const struct reeve_row *row)
{
    struct table *table = &listing->table;
    char time[WHEN_MAX], reason[128], sender[2 * TICKET_ADDRESS_MAX];

    table_cell(table, print_time(row, "at", time));
    table_cell(table, print_field(row, "action"));
    table_cell(table, or_shadow(row, reason, sizeof(reason)));
    table_cell(table, print_field(row, "client_ip"));
    table_cell(table, sender_of(row, sender, sizeof(sender)));
    table_cell(table, print_field(row, "recipient"));
    if (listing->is_grey)
        table_cell(table, came_back(row));
    table_cell(table, policy_of(row));
    table_cell(table, print_field(row, "ticket"));
}

static void begin_listing(struct listing *listing)
{
    static const char *const track[] = {"WHEN", "ACTION", "REASON", "CLIENT", "FROM",
                                        "TO",   "POLICY", "TICKET", NULL};
    static const char *const grey[] = {"WHEN", "ACTION",  "REASON", "CLIENT", "FROM",
                                       "TO",   "RETRIED", "POLICY", "TICKET", NULL};

    listing->has_begun = true;
    if (listing->ctl->want_json)
        json_open(&listing->ctl->json, NULL, '[');
    else
        table_begin(&listing->table, listing->is_grey ? grey : track);
}

static void take_page(void *arg, const struct reeve_row *rows, size_t count)
{
    struct listing *listing = arg;

    if (!listing->has_begun)
        begin_listing(listing);
    for (size_t i = 0; i < count; i++) {
        if (listing->ctl->want_json)
            print_row_json(&listing->ctl->json, NULL, &rows[i]);
        else if (listing->is_one)
            print_row(&rows[i], stdout);
        else
            add_row(listing, &rows[i]);
    }
}

static void end_listing(struct listing *listing, uint64_t count)
{
    if (!listing->has_begun)
        return; // not even the first page came
    if (listing->ctl->want_json)
        json_close(&listing->ctl->json, ']');
    else if (count > 0 && !listing->is_one)
        table_end(&listing->table, stdout);
    else
        table_drop(&listing->table);
}

static void comment(const struct listing *listing, const struct track_query *query, uint64_t count)
{
    if (listing->ctl->want_json)
        return;
    if (count == 0)
        (void)printf("nothing found (decisions are kept for 7 days; accepts only by sampling)\n");
    else if (query->limit > 0 && count == query->limit && !listing->is_one)
        ctl_warn("these are the newest %llu; --all shows the rest, --limit N another number",
                 (unsigned long long)count);
}

static int list(struct ctl *ctl, const struct track_query *query)
{
    struct listing listing = {
        .ctl = ctl,
        .is_grey = strcmp(query->verb, "grey.list") == 0,
        .is_one = query->ticket != NULL,
    };
    uint64_t count = 0;
    int code = track_read(ctl, query, take_page, &listing, &count);

    end_listing(&listing, count);
    if (code != CTL_FINE)
        return code;
    comment(&listing, query, count);
    return count > 0 ? CTL_FINE : CTL_NEGATIVE;
}

// ---- the two commands

static int read_query(struct ctl *ctl, const struct command *command, int argc, char **argv,
                      struct track_query *query, int *first)
{
    bool is_track = strcmp(query->verb, "track") == 0, all = false;
    const struct arg_row rows[] = {
        {.name = "from", .kind = ARG_TEXT, .into = &query->sender},
        {.name = "to", .kind = ARG_TEXT, .into = &query->recipient},
        {.name = "ip", .kind = ARG_TEXT, .into = &query->client_ip},
        {.name = "since", .kind = ARG_TIME, .into = &query->since_ms},
        {.name = "limit", .kind = ARG_COUNT, .into = &query->limit},
        {.name = "all", .kind = ARG_FLAG, .into = &all},
        {.name = is_track ? "reason" : NULL, .kind = ARG_TEXT, .into = &query->reason},
        {.name = NULL},
    };
    int code = args_read(ctl, command, rows, argc, argv, first);

    if (all)
        query->limit = 0;
    return code;
}

int run_grey_list(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct track_query query = {.verb = "grey.list", .limit = TRACK_LIMIT};
    int first = 0;
    int code = read_query(ctl, command, argc, argv, &query, &first);

    if (code != CTL_FINE)
        return code;
    if (first < argc)
        return ctl_misuse(ctl, command, "'%s' was not expected here", argv[first]);
    return list(ctl, &query);
}

int run_track(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct track_query query = {.verb = "track", .limit = TRACK_LIMIT};
    int first = 0;
    int code = read_query(ctl, command, argc, argv, &query, &first);

    if (code != CTL_FINE)
        return code;
    if (argc - first > 1)
        return ctl_misuse(ctl, command, "'%s' was not expected here", argv[first + 1]);
    if (argc - first == 1) {
        if (!ticket_is_valid(argv[first]))
            return ctl_misuse(ctl, command,
                              "'%s' is no ticket: one has %d letters and digits, as it stands in "
                              "the reply text",
                              argv[first], TICKET_LEN);
        query.ticket = argv[first];
    }
    return list(ctl, &query);
}
