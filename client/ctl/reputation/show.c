// show.c: `reevectl reputation show`: what is kept of an address, a network, an AS, a country or a domain, and of what
// stands above it. What becomes of a mail by it is told by `reputation explain`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/levels.h"
#include "client/ctl/print.h"
#include "client/ctl/reputation/entities.h"
#include "proto/base/mem.h"

// The rows of an answer as levels: a row for each of them, behind it one for each of its reporters.
struct chain {
    struct reeve_level *level;
    size_t count;
    struct reeve_reporter *reporter;
};

static bool is_true(const struct reeve_row *row, const char *key)
{
    return strcmp(print_field(row, key), "true") == 0;
}

static struct reeve_level read_level(const struct reeve_row *row)
{
    return (struct reeve_level){
        .kind = print_field(row, "kind"),
        .name = print_field(row, "name"),
        .is_known = is_true(row, "known"),
        .spam = entity_number(row, "spam"),
        .ham = entity_number(row, "ham"),
        .strength = entity_number(row, "strength"),
        .p = entity_number(row, "p"),
        .share = entity_number(row, "share"),
        .age_s = (uint64_t)entity_number(row, "age_s"),
        .first_s = (uint64_t)entity_number(row, "first_s"),
        .hour = entity_number(row, "hour"),
        .week = entity_number(row, "week"),
    };
}

static struct reeve_reporter read_reporter(const struct reeve_row *row)
{
    return (struct reeve_reporter){
        .name = print_field(row, "gateway"),
        .spam = entity_number(row, "spam"),
        .ham = entity_number(row, "ham"),
        .trust = entity_number(row, "trust"),
        .at_cap = is_true(row, "at_cap"),
    };
}

static void read_chain(const struct reeve_answer *answer, struct chain *out)
{
    *out = (struct chain){.level = mem_new_array(answer->row_count + 1, sizeof(*out->level)),
                          .reporter = mem_new_array(answer->row_count + 1, sizeof(*out->reporter))};
    for (size_t i = 0, reporters = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];
        struct reeve_level *last = out->count > 0 ? &out->level[out->count - 1] : NULL;

        if (!is_true(row, "is_reporter")) {
            out->level[out->count] = read_level(row);
            out->level[out->count++].reporters = &out->reporter[reporters];
        } else if (last != NULL) {
            out->reporter[reporters++] = read_reporter(row);
            last->reporter_count++;
        }
    }
}

static int print_answer(struct ctl *ctl, const struct reeve_answer *answer)
{
    struct chain chain;
    int code;

    read_chain(answer, &chain);
    code = chain.count > 0 && chain.level[0].is_known ? CTL_FINE : CTL_NEGATIVE;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else if (chain.count > 0)
        levels_print_chain(chain.level[0].name, chain.level, chain.count, stdout);
    if (code != CTL_FINE && !ctl->want_json)
        (void)puts("nothing is kept of it; it is judged by what stands above it");
    mem_free(chain.level);
    mem_free(chain.reporter);
    return code;
}

int run_reputation_show(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct reeve_pair args[] = {
        {"client_ip", NULL}, {"asn", NULL}, {"country", NULL}, {"domain", NULL}};
    const struct arg_row rows[] = {
        {.name = "ip", .kind = ARG_TEXT, .into = &args[0].value},
        {.name = "asn", .kind = ARG_TEXT, .into = &args[1].value},
        {.name = "country", .kind = ARG_TEXT, .into = &args[2].value},
        {.name = "domain", .kind = ARG_TEXT, .into = &args[3].value},
        {.name = NULL},
    };
    struct reeve_answer *answer = NULL;
    size_t count = 0;
    int code = args_read_all(ctl, command, rows, argc, argv);

    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
        if (args[i].value != NULL)
            args[count++] = args[i];
    if (code == CTL_FINE && count == 0)
        code = ctl_misuse(ctl, command, "expected --ip, --asn, --country or --domain");
    if (code == CTL_FINE)
        code = ctl_admin(ctl, "reputation.show", args, count, false, &answer);
    if (code == CTL_FINE)
        code = print_answer(ctl, answer);
    reeve_answer_free(&answer);
    return code;
}
