// entities.c: see entities.h. Promises: a page may be empty although others follow it; nothing is asked twice.
#include "client/ctl/reputation/entities.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/print.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { PAGE = 150, KINDS_TEXT_MAX = 256 };

double entity_number(const struct reeve_row *row, const char *key)
{
    return strtod(print_field(row, key), NULL);
}

static bool is_among(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

int entities_check(struct ctl *ctl, const struct command *command, const struct arg_texts *kinds,
                   const char *const *allowed)
{
    char memory[KINDS_TEXT_MAX];
    struct text_buf text;

    text_buf_init(&text, memory, sizeof(memory));
    for (size_t i = 0; allowed[i] != NULL; i++)
        text_buf_add(&text, "%s%s", i > 0 ? ", " : "", allowed[i]);
    for (size_t i = 0; i < kinds->count; i++)
        if (!is_among(kinds->text[i], allowed))
            return ctl_misuse(ctl, command, "--kind: expected one of %s, not '%s'", memory,
                              kinds->text[i]);
    return CTL_FINE;
}

static void read_entity(const struct reeve_row *row, struct entity *out)
{
    *out = (struct entity){
        .kind = print_field(row, "kind"),
        .name = print_field(row, "name"),
        .spam = entity_number(row, "spam"),
        .ham = entity_number(row, "ham"),
        .strength = entity_number(row, "strength"),
        .p = entity_number(row, "p"),
        .lower = entity_number(row, "lower"),
        .upper = entity_number(row, "upper"),
        .hour = entity_number(row, "hour"),
        .week = entity_number(row, "week"),
        .reporters = (unsigned)entity_number(row, "reporters"),
        .age_s = (uint64_t)entity_number(row, "age_s"),
        .first_s = (uint64_t)entity_number(row, "first_s"),
    };
}

static void join_kinds(const struct arg_texts *kinds, char out[KINDS_TEXT_MAX])
{
    struct text_buf text;

    text_buf_init(&text, out, KINDS_TEXT_MAX);
    for (size_t i = 0; i < kinds->count; i++)
        text_buf_add(&text, "%s%s", i > 0 ? "," : "", kinds->text[i]);
}

int entities_read(struct ctl *ctl, const struct entities_query *query, struct progress *progress,
                  void (*fn)(void *arg, const struct entity *entity), void *arg)
{
    char kinds[KINDS_TEXT_MAX], limit[16], evidence[32];
    char *cursor = mem_text("");
    uint64_t count = 0;
    int code = CTL_FINE;

    join_kinds(query->kinds, kinds);
    (void)snprintf(limit, sizeof(limit), "%d", PAGE);
    (void)snprintf(evidence, sizeof(evidence), "%.9g", query->evidence);
    do {
        const struct reeve_pair args[] = {
            {"kinds", kinds}, {"evidence", evidence}, {"limit", limit}, {"cursor", cursor}};
        struct reeve_answer *answer = NULL;

        code = ctl_admin(ctl, "reputation.list", args, 4, false, &answer);
        if (code != CTL_FINE)
            break;
        for (size_t i = 0; i < answer->row_count; i++) {
            struct entity entity;

            read_entity(&answer->rows[i], &entity);
            fn(arg, &entity);
            (void)progress_show(progress, 0, 0, ++count);
        }
        mem_free(cursor);
        cursor = mem_text(answer->cursor);
        reeve_answer_free(&answer);
    } while (cursor[0] != '\0' && !progress_was_interrupted(progress));
    progress_clear(progress);
    mem_free(cursor);
    return code;
}
