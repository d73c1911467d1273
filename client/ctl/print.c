// print.c: see print.h. Promises: columns line up for text in any script of single-width letters;
// libreeve has cleaned all texts of nodes, so none can write to the terminal's controls.
#include "client/ctl/print.h"

#include <string.h>

#include "client/ctl/levels.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { GAP = 2, WIDTH_MAX = 48 };

// ---- tables

void table_begin(struct table *table, const char *const *titles)
{
    *table = (struct table){.columns = 0};
    for (; titles[table->columns] != NULL; table->columns++)
        table_cell(table, titles[table->columns]);
}

void table_cell(struct table *table, const char *text)
{
    table->cell = mem_grow((void *)table->cell, table->count + 1, sizeof(*table->cell));
    table->cell[table->count++] = mem_text(text[0] == '\0' ? "-" : text);
}

static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = 0;

    for (size_t i = column; i < table->count; i += table->columns) {
        size_t here = width_of(table->cell[i]);

        width = here > width ? here : width;
    }
    return width < WIDTH_MAX ? width : WIDTH_MAX;
}

static void print_cell(const struct table *table, size_t index, FILE *out)
{
    size_t column = index % table->columns;
    size_t width = width_of(table->cell[index]);
    size_t wanted = column_width(table, column) + GAP;

    (void)fputs(table->cell[index], out);
    if (column + 1 == table->columns) {
        (void)fputc('\n', out);
        return;
    }
    // A cell that is wider than its column still ends with a space.
    (void)fprintf(out, "%*s", (int)(width < wanted ? wanted - width : 1), "");
}

void table_end(struct table *table, FILE *out)
{
    for (size_t i = 0; i < table->count; i++)
        print_cell(table, i, out);
    table_drop(table);
}

void table_drop(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        mem_free(table->cell[i]);
    mem_free((void *)table->cell);
    *table = (struct table){.columns = 0};
}

// ---- rows

const char *print_field(const struct reeve_row *row, const char *key)
{
    for (size_t i = 0; i < row->field_count; i++) {
        if (strcmp(row->fields[i].key, key) == 0)
            return row->fields[i].value;
    }
    return "";
}

const char *print_time(const struct reeve_row *row, const char *key, char *out)
{
    const char *text = print_field(row, key);
    uint64_t ms = 0;

    return when_parse(text, 0, &ms) ? when_format(ms, out) : text;
}

void print_row(const struct reeve_row *row, FILE *out)
{
    size_t width = 0;

    for (size_t i = 0; i < row->field_count; i++) {
        size_t len = strlen(row->fields[i].key);

        width = len > width ? len : width;
    }
    for (size_t i = 0; i < row->field_count; i++) {
        const struct reeve_pair *field = &row->fields[i];

        if (field->value[0] != '\0')
            (void)fprintf(out, "%s:%*s %s\n", field->key, (int)(width - strlen(field->key)), "",
                          field->value);
    }
}

void print_row_json(struct json *json, const char *key, const struct reeve_row *row)
{
    json_open(json, key, '{');
    for (size_t i = 0; i < row->field_count; i++)
        json_text(json, row->fields[i].key, row->fields[i].value);
    json_close(json, '}');
}

void print_rows_json(struct json *json, const char *key, const struct reeve_row *rows, size_t count)
{
    json_open(json, key, '[');
    for (size_t i = 0; i < count; i++)
        print_row_json(json, NULL, &rows[i]);
    json_close(json, ']');
}

// ---- verdicts

static const struct action_row {
    const char *name, *done;
} actions[] = {
    [0] = {"unknown", "answered"},         [REEVE_ACCEPT] = {"accept", "accepted"},
    [REEVE_DEFER] = {"defer", "deferred"}, [REEVE_REJECT] = {"reject", "rejected"},
    [REEVE_HOLD] = {"hold", "held"},       [REEVE_SECURE] = {"secure", "sent securely"},
};
enum { ACTION_COUNT = sizeof(actions) / sizeof(actions[0]) };

const char *print_action(enum reeve_action action)
{
    return actions[(size_t)action < ACTION_COUNT ? (size_t)action : 0].name;
}

const char *print_done(const char *action)
{
    for (size_t i = 1; i < ACTION_COUNT; i++) {
        if (strcmp(actions[i].name, action) == 0)
            return actions[i].done;
    }
    return actions[0].done;
}

static void print_trace_json(struct json *json, const struct reeve_verdict *verdict)
{
    json_open(json, "trace", '[');
    for (size_t i = 0; i < verdict->trace_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "step", verdict->trace[i].step);
        json_text(json, "outcome", verdict->trace[i].outcome);
        json_text(json, "rule", verdict->trace[i].rule);
        json_text(json, "why", verdict->trace[i].why);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void print_verdict_json(struct json *json, const char *key, const struct reeve_verdict *verdict)
{
    json_open(json, key, '{');
    json_text(json, "recipient", verdict->recipient);
    json_text(json, "action", print_action(verdict->action));
    json_count(json, "code", verdict->code);
    json_text(json, "enhanced", verdict->enhanced);
    json_text(json, "text", verdict->text);
    json_text(json, "reason", verdict->reason);
    json_text(json, "rule", verdict->rule);
    json_text(json, "narrative", verdict->narrative);
    json_text(json, "direction", verdict->direction);
    json_bool(json, "skip_reputation", verdict->skip_reputation);
    json_bool(json, "skip_greylist", verdict->skip_greylist);
    json_bool(json, "skip_spam", verdict->skip_spam);
    json_text(json, "ticket", verdict->ticket);
    json_count(json, "retry_after_s", verdict->retry_after_s);
    json_count(json, "waited_s", verdict->waited_s);
    json_text(json, "shadow", verdict->shadow);
    if (verdict->score_known)
        json_number(json, "score", verdict->score);
    if (verdict->trace_count > 0)
        print_trace_json(json, verdict);
    if (verdict->reputation != NULL)
        levels_print_json(json, "reputation", verdict->reputation);
    json_close(json, '}');
}
