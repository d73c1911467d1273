// versions.c: `reevectl policy history`, `undo`, `show`, `status` and `used`: what was applied before, what is in
// force, where, and what of it was ever of use.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { HISTORY_LIMIT = 20, USED_PAGE = 500 };

// One column of a table: a title, the field that stands there, and whether it is a time.
struct column {
    const char *title, *key;
    bool is_time;
};

static void print_columns(const struct column *columns, const struct reeve_row *rows, size_t count)
{
    const char *titles[12] = {NULL};
    struct table table;

    for (size_t i = 0; columns[i].title != NULL; i++)
        titles[i] = columns[i].title;
    table_begin(&table, titles);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; columns[k].title != NULL; k++) {
            char time[WHEN_MAX];

            table_cell(&table, columns[k].is_time ? print_time(&rows[i], columns[k].key, time)
                                                  : print_field(&rows[i], columns[k].key));
        }
    }
    table_end(&table, stdout);
}

// ---- history

static int ask_history(struct ctl *ctl, uint64_t limit, struct reeve_answer **out)
{
    char number[POLICY_NUMBER_MAX];
    const struct reeve_pair args[] = {{"limit", policy_number(number, limit)}};

    return ctl_admin(ctl, "policy.history", args, 1, false, out);
}

int run_policy_history(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    static const struct column columns[] = {
        {"VERSION", "version", false}, {"WHEN", "at", true},
        {"BY", "by", false},           {"POLICIES", "policies", false},
        {"BYTES", "bytes", false},     {"NOTE", "note", false},
        {NULL, NULL, false},
    };
    uint64_t limit = HISTORY_LIMIT;
    const struct arg_row rows[] = {
        {.name = "limit", .kind = ARG_COUNT, .into = &limit, .max = 100},
        {.name = NULL},
    };
    struct reeve_answer *answer = NULL;
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE)
        code = ask_history(ctl, limit, &answer);
    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else if (answer->row_count > 0)
        print_columns(columns, answer->rows, answer->row_count);
    else
        (void)puts("no policy set was ever applied: each node has its policy files");
    code = answer->row_count > 0 ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

// ---- undo

struct undo {
    struct ctl *ctl;
    struct policy_order order;
    bool dry_run;
    uint64_t base; // UINT64_MAX = not given
    struct reeve_answer *changes;
    struct policy_outcome outcome;
};

// choose_versions: what is in force, and what comes in its place.
static int choose_versions(struct undo *undo)
{
    struct reeve_answer *answer = NULL;
    int code = ask_history(undo->ctl, 2, &answer);

    if (code != CTL_FINE)
        return code;
    if (answer->row_count > 0)
        undo->order.base = strtoull(print_field(&answer->rows[0], "version"), NULL, 10);
    if (undo->order.version == 0 && answer->row_count > 1)
        undo->order.version = strtoull(print_field(&answer->rows[1], "version"), NULL, 10);
    reeve_answer_free(&answer);
    if (undo->base != UINT64_MAX && undo->base != undo->order.base)
        return ctl_fail(undo->ctl, CTL_REFUSED,
                        "--base: in force is version %llu, and not %llu; nothing was changed",
                        (unsigned long long)undo->order.base, (unsigned long long)undo->base);
    if (undo->order.version == 0)
        return ctl_fail(
            undo->ctl, CTL_NEGATIVE,
            "there is no version before the one in force; see: reevectl policy history");
    return CTL_FINE;
}

static void print_undo_json(const struct undo *undo)
{
    struct json *json = &undo->ctl->json;

    json_open(json, NULL, '{');
    json_count(json, "base", undo->order.base);
    json_count(json, "as", undo->order.version);
    print_rows_json(json, "changes", undo->changes->rows, undo->changes->row_count);
    if (undo->outcome.nodes != NULL)
        policy_print_outcome(undo->ctl, undo->order.base, &undo->outcome);
    json_close(json, '}');
}

static void print_undo(const struct undo *undo)
{
    if (undo->dry_run)
        (void)puts("a dry run: nothing was changed");
    else
        policy_print_outcome(undo->ctl, undo->order.base, &undo->outcome);
}

static int undo_it(struct undo *undo)
{
    int code = choose_versions(undo);

    if (code == CTL_FINE)
        code = policy_diff(undo->ctl, NULL, undo->order.version, 0, &undo->changes);
    if (code != CTL_FINE)
        return code;
    if (!undo->ctl->want_json) {
        (void)printf("back to what version %llu said:\n", (unsigned long long)undo->order.version);
        policy_print_changes(undo->changes);
        (void)fflush(stdout);
    }
    if (!undo->dry_run)
        code = policy_activate(undo->ctl, &undo->order, &undo->outcome);
    if (code != CTL_FINE && undo->outcome.nodes == NULL)
        return code;
    if (undo->ctl->want_json)
        print_undo_json(undo);
    else
        print_undo(undo);
    return code;
}

int run_policy_undo(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct undo undo = {.ctl = ctl, .order = {.verb = "policy.undo"}, .base = UINT64_MAX};
    const struct arg_row rows[] = {
        {.name = "note", .kind = ARG_TEXT, .into = &undo.order.note},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &undo.dry_run},
        {.name = "base", .kind = ARG_COUNT, .into = &undo.base},
        {.name = NULL},
    };
    int code = policy_read_version(ctl, command, rows, argc, argv, &undo.order.version);

    ctl->is_patient = true; // every node compiles it first
    if (code == CTL_FINE)
        code = undo_it(&undo);
    reeve_answer_free(&undo.changes);
    reeve_answer_free(&undo.outcome.nodes);
    return code;
}

// ---- status

static bool all_agree(const struct reeve_answer *answer)
{
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];

        if ((strcmp(print_field(row, "state"), "in force") != 0 &&
             strcmp(print_field(row, "state"), "files") != 0) ||
            strcmp(print_field(row, "version"), print_field(&answer->rows[0], "version")) != 0)
            return false;
    }
    return true;
}

int run_policy_status(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    static const struct column columns[] = {
        {"NODE", "node", false}, {"VERSION", "version", false}, {"STATE", "state", false},
        {"SEEN", "seen", true},  {"ERROR", "error", false},     {NULL, NULL, false},
    };
    struct reeve_answer *answer = NULL;
    int code = args_read_all(ctl, command, NULL, argc, argv);

    if (code == CTL_FINE)
        code = ctl_admin(ctl, "policy.status", NULL, 0, false, &answer);
    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else
        print_columns(columns, answer->rows, answer->row_count);
    code = all_agree(answer) ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}

// ---- used

// The rows of all pages; they live in the answers.
struct pages {
    struct reeve_answer **answer;
    size_t count;
};

static int ask_used(struct ctl *ctl, struct pages *pages)
{
    const char *cursor = "";
    int code = CTL_FINE;

    do {
        char number[POLICY_NUMBER_MAX];
        const struct reeve_pair args[] = {{"limit", policy_number(number, USED_PAGE)},
                                          {"cursor", cursor}};
        struct reeve_answer *answer = NULL;

        code = ctl_admin(ctl, "policy.used", args, cursor[0] == '\0' ? 1 : 2, false, &answer);
        if (code != CTL_FINE)
            break;
        pages->answer =
            mem_grow((void *)pages->answer, pages->count + 1, sizeof(struct reeve_answer *));
        pages->answer[pages->count++] = answer;
        cursor = answer->cursor;
    } while (cursor[0] != '\0');
    return code;
}

static void gather_rows(const struct pages *pages, bool never, struct reeve_row **out,
                        size_t *out_count)
{
    size_t count = 0;

    for (size_t i = 0; i < pages->count; i++) {
        *out = mem_grow(*out, count + pages->answer[i]->row_count + 1, sizeof(**out));
        for (size_t k = 0; k < pages->answer[i]->row_count; k++) {
            const struct reeve_row *row = &pages->answer[i]->rows[k];

            if (!never || print_field(row, "last")[0] == '\0')
                (*out)[count++] = *row;
        }
    }
    *out_count = count;
}

static void print_used(struct ctl *ctl, const struct pages *pages, bool never)
{
    static const struct column columns[] = {
        {"POLICY", "policy", false},
        {"KIND", "kind", false},
        {"MODE", "mode", false},
        {"HITS", "hits", false},
        {"IN SHADOW", "shadow_hits", false},
        {"LAST", "last", true},
        {NULL, NULL, false},
    };
    struct reeve_row *rows = NULL;
    size_t count = 0;

    gather_rows(pages, never, &rows, &count);
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, rows, count);
    else if (count > 0)
        print_columns(columns, rows, count);
    else
        (void)puts(never ? "every policy was of use" : "there are no policies");
    mem_free(rows);
}

int run_policy_used(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    bool never = false;
    const struct arg_row rows[] = {
        {.name = "never", .kind = ARG_FLAG, .into = &never},
        {.name = NULL},
    };
    struct pages pages = {.count = 0};
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE)
        code = ask_used(ctl, &pages);
    if (code == CTL_FINE)
        print_used(ctl, &pages, never);
    for (size_t i = 0; i < pages.count; i++)
        reeve_answer_free(&pages.answer[i]);
    mem_free((void *)pages.answer);
    return code;
}
