// gateways.c: `reevectl reputation gateways`: who reports, how much, and how far each is trusted.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/reputation/entities.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

// Of what others were sure of: how often it said the same, of how often it was asked.
static void add_agreed(struct table *table, const struct reeve_row *row, const char *agreed,
                       const char *disagreed)
{
    const double yes = entity_number(row, agreed);
    char text[64];

    (void)snprintf(text, sizeof(text), "%.1f of %.1f", yes, yes + entity_number(row, disagreed));
    table_cell(table, text);
}

static void add_row(struct table *table, const struct reeve_row *row)
{
    char time[WHEN_MAX];

    table_cell(table, print_field(row, "gateway"));
    table_cell(table, print_field(row, "trust"));
    table_cell(table, print_field(row, "alarm"));
    table_cell(table, print_field(row, "weight"));
    add_agreed(table, row, "agreed_spam", "disagreed_spam");
    add_agreed(table, row, "agreed_ham", "disagreed_ham");
    table_cell(table, print_field(row, "spam"));
    table_cell(table, print_field(row, "ham"));
    table_cell(table, print_time(row, "last", time));
}

struct listing {
    struct ctl *ctl;
    struct table table;
    bool has_begun;
    size_t count;
};

static void begin(struct listing *listing)
{
    static const char *const titles[] = {"GATEWAY", "TRUST", "ALARM", "WEIGHT", "AGREED ON SPAM",
                                         "ON HAM",  "SPAM",  "HAM",   "LAST",   NULL};

    if (listing->ctl->want_json)
        json_open(&listing->ctl->json, NULL, '[');
    else
        table_begin(&listing->table, titles);
}

static void end(struct listing *listing)
{
    if (listing->ctl->want_json)
        json_close(&listing->ctl->json, ']');
    else if (listing->count > 0)
        table_end(&listing->table, stdout);
    else
        table_drop(&listing->table);
}

static void take_page(struct listing *listing, const struct reeve_answer *answer)
{
    for (size_t i = 0; i < answer->row_count; i++) {
        if (listing->ctl->want_json)
            print_row_json(&listing->ctl->json, NULL, &answer->rows[i]);
        else
            add_row(&listing->table, &answer->rows[i]);
    }
    listing->count += answer->row_count;
}

// list_page: *cursor becomes where the next page begins (owned), "" at the end.
static int list_page(struct listing *listing, char **cursor)
{
    const struct reeve_pair arg = {"cursor", *cursor};
    struct reeve_answer *answer = NULL;
    const int code = ctl_admin(listing->ctl, "reputation.gateways", &arg, 1, false, &answer);

    if (code != CTL_FINE)
        return code;
    if (!listing->has_begun)
        begin(listing);
    listing->has_begun = true;
    take_page(listing, answer);
    mem_free(*cursor);
    *cursor = mem_text(answer->cursor);
    reeve_answer_free(&answer);
    return CTL_FINE;
}

int run_reputation_gateways(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int code = args_read_all(ctl, command, NULL, argc, argv);
    struct listing listing = {.ctl = ctl};
    char *cursor;

    if (code != CTL_FINE)
        return code;
    cursor = mem_text("");
    do {
        code = list_page(&listing, &cursor);
    } while (code == CTL_FINE && cursor[0] != '\0');
    mem_free(cursor);
    if (listing.has_begun)
        end(&listing);
    if (code != CTL_FINE || listing.count > 0)
        return code;
    if (!ctl->want_json)
        (void)puts("no gateway has reported anything yet");
    return CTL_NEGATIVE;
}
