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

int run_reputation_gateways(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int code = args_read_all(ctl, command, NULL, argc, argv);
    struct listing listing = {.ctl = ctl};
    struct reeve_answer *answer = NULL;
    bool has_begun = false;

    while (code == CTL_FINE && (answer == NULL || answer->cursor[0] != '\0')) {
        const struct reeve_pair cursor = {"cursor", answer == NULL ? "" : answer->cursor};
        struct reeve_answer *page = NULL;

        code = ctl_admin(ctl, "reputation.gateways", &cursor, 1, false, &page);
        reeve_answer_free(&answer);
        answer = page;
        if (code != CTL_FINE)
            break;
        if (!has_begun)
            begin(&listing);
        has_begun = true;
        take_page(&listing, answer);
    }
    reeve_answer_free(&answer);
    if (has_begun)
        end(&listing);
    if (code == CTL_FINE && listing.count == 0 && !ctl->want_json)
        (void)puts("no gateway has reported anything yet");
    return code == CTL_FINE && listing.count == 0 ? CTL_NEGATIVE : code;
}
