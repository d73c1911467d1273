// undo.c: `reevectl reputation undo`: takes out of the store whatever one gateway holds, entity by entity, and says what
// changed. Promises: what was undone stays so; after an error the same command goes through the rest.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/reputation/entities.h"
#include "proto/base/mem.h"

enum { MOST_SHOWN = 10, KINDS_MAX = 16 };

// One entity that the gateway held something of.
struct change {
    char *kind, *name;
    double spam, ham;           // that it held
    double was_spam, was_ham;   // in all, before
    double left_spam, left_ham; // and after
};

struct undo {
    struct ctl *ctl;
    const char *gateway;
    bool dry_run;
    struct progress *progress;
    char *cursor;
    uint64_t count;
    double spam, ham;
    struct change most[MOST_SHOWN]; // with the most weight, the most first
    size_t most_count;
    struct {
        char kind[16];
        uint64_t count;
    } kind[KINDS_MAX];
    size_t kind_count;
};

static void drop(struct change *change)
{
    mem_free(change->kind);
    mem_free(change->name);
}

static void keep_most(struct undo *undo, const struct change *change)
{
    size_t at = undo->most_count;

    if (at == MOST_SHOWN &&
        undo->most[at - 1].spam + undo->most[at - 1].ham >= change->spam + change->ham)
        return;
    if (at == MOST_SHOWN)
        drop(&undo->most[--at]);
    else
        undo->most_count++;
    for (; at > 0 && undo->most[at - 1].spam + undo->most[at - 1].ham < change->spam + change->ham;
         at--)
        undo->most[at] = undo->most[at - 1];
    undo->most[at] = *change;
    undo->most[at].kind = mem_text(change->kind);
    undo->most[at].name = mem_text(change->name);
}

static void count_kind(struct undo *undo, const char *kind)
{
    size_t i = 0;

    while (i < undo->kind_count && strcmp(undo->kind[i].kind, kind) != 0)
        i++;
    if (i == KINDS_MAX)
        return;
    if (i == undo->kind_count)
        (void)snprintf(undo->kind[undo->kind_count++].kind, sizeof(undo->kind[i].kind), "%s", kind);
    undo->kind[i].count++;
}

static void take_row(struct undo *undo, const struct reeve_row *row)
{
    // The texts stay the row's until one of the most keeps a copy.
    const struct change change = {
        .kind = (char *)(uintptr_t)print_field(row, "kind"),
        .name = (char *)(uintptr_t)print_field(row, "name"),
        .spam = entity_number(row, "spam"),
        .ham = entity_number(row, "ham"),
        .was_spam = entity_number(row, "was_spam"),
        .was_ham = entity_number(row, "was_ham"),
        .left_spam = entity_number(row, "left_spam"),
        .left_ham = entity_number(row, "left_ham"),
    };

    undo->count++;
    undo->spam += change.spam;
    undo->ham += change.ham;
    count_kind(undo, change.kind);
    keep_most(undo, &change);
    (void)progress_show(undo->progress, 0, 0, undo->count);
}

static int undo_page(struct undo *undo)
{
    const struct reeve_pair args[] = {
        {"gateway", undo->gateway}, {"limit", "150"}, {"cursor", undo->cursor}};
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(undo->ctl, "reputation.undo", args, 3, undo->dry_run, &answer);

    if (code != CTL_FINE)
        return code;
    for (size_t i = 0; i < answer->row_count; i++)
        take_row(undo, &answer->rows[i]);
    mem_free(undo->cursor);
    undo->cursor = mem_text(answer->cursor);
    reeve_answer_free(&answer);
    return CTL_FINE;
}

// ---- what changed

static void print_most(const struct undo *undo)
{
    static const char *const titles[] = {"KIND", "NAME", "IT HELD", "SPAM", "HAM", NULL};
    struct table table;

    if (undo->most_count == 0)
        return;
    table_begin(&table, titles);
    for (size_t i = 0; i < undo->most_count; i++) {
        const struct change *change = &undo->most[i];
        char text[64];

        table_cell(&table, change->kind);
        table_cell(&table, change->name);
        (void)snprintf(text, sizeof(text), "%.1f", change->spam + change->ham);
        table_cell(&table, text);
        (void)snprintf(text, sizeof(text), "%.1f -> %.1f", change->was_spam, change->left_spam);
        table_cell(&table, text);
        (void)snprintf(text, sizeof(text), "%.1f -> %.1f", change->was_ham, change->left_ham);
        table_cell(&table, text);
    }
    table_end(&table, stdout);
}

static void print_text(const struct undo *undo)
{
    (void)printf("gateway %s held %.1f of spam and %.1f of ham, in %llu entities", undo->gateway,
                 undo->spam, undo->ham, (unsigned long long)undo->count);
    for (size_t i = 0; i < undo->kind_count; i++)
        (void)printf("%s%s %llu", i == 0 ? " (" : ", ", undo->kind[i].kind,
                     (unsigned long long)undo->kind[i].count);
    (void)printf("%s: %s\n", undo->kind_count > 0 ? ")" : "",
                 undo->dry_run ? "it would be taken out" : "it is taken out");
    if (undo->most_count < undo->count)
        (void)printf("the %zu of which it held the most:\n", undo->most_count);
    print_most(undo);
}

static void print_json(const struct undo *undo)
{
    struct json *json = &undo->ctl->json;

    json_open(json, NULL, '{');
    json_text(json, "gateway", undo->gateway);
    json_bool(json, "dry_run", undo->dry_run);
    json_number(json, "spam", undo->spam);
    json_number(json, "ham", undo->ham);
    json_count(json, "entities", undo->count);
    json_open(json, "kinds", '{');
    for (size_t i = 0; i < undo->kind_count; i++)
        json_count(json, undo->kind[i].kind, undo->kind[i].count);
    json_close(json, '}');
    json_open(json, "most", '[');
    for (size_t i = 0; i < undo->most_count; i++) {
        const struct change *change = &undo->most[i];

        json_open(json, NULL, '{');
        json_text(json, "kind", change->kind);
        json_text(json, "name", change->name);
        json_number(json, "spam", change->spam);
        json_number(json, "ham", change->ham);
        json_number(json, "was_spam", change->was_spam);
        json_number(json, "was_ham", change->was_ham);
        json_number(json, "left_spam", change->left_spam);
        json_number(json, "left_ham", change->left_ham);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static int finish(struct undo *undo, int code)
{
    const bool is_whole = code == CTL_FINE && undo->cursor[0] == '\0';

    progress_clear(undo->progress);
    if (is_whole && undo->ctl->want_json)
        print_json(undo);
    else if (is_whole)
        print_text(undo);
    else if (code == CTL_FINE)
        code = ctl_fail(undo->ctl, CTL_NEGATIVE, "interrupted; the same command goes on");
    if (!is_whole && !undo->dry_run && undo->count > 0)
        ctl_warn("until then %llu entities were undone, and stay so; the same command undoes the "
                 "rest",
                 (unsigned long long)undo->count);
    return is_whole && undo->count == 0 ? CTL_NEGATIVE : code;
}

int run_reputation_undo(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct undo undo = {.ctl = ctl};
    const struct arg_row rows[] = {
        {.name = "gateway", .kind = ARG_TEXT, .into = &undo.gateway},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &undo.dry_run},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE && undo.gateway == NULL)
        code = ctl_misuse(ctl, command, "--gateway is missing: as `reputation gateways` names it");
    if (code != CTL_FINE)
        return code;
    undo.progress = progress_new(!ctl->want_json);
    undo.cursor = mem_text("");
    progress_begin(undo.progress, undo.dry_run ? "reading" : "undoing");
    do {
        code = undo_page(&undo);
    } while (code == CTL_FINE && undo.cursor[0] != '\0' &&
             !progress_was_interrupted(undo.progress));
    code = finish(&undo, code);
    progress_free(&undo.progress);
    mem_free(undo.cursor);
    for (size_t i = 0; i < undo.most_count; i++)
        drop(&undo.most[i]);
    return code;
}
