// messages.c: see messages.h. Promises: a file of any bytes gives messages that the wire takes, or an error; nothing of a row is
// kept that is left out.
#include "client/load/messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/import/csv.h"
#include "client/ctl/import/lines.h"
#include "client/load/messages_fields.h"
#include "proto/base/mem.h"

enum { FIELDS_MAX = 200, FIRST_ROOM = 1024 };

// ---- columns

struct reading {
    struct messages *out;
    const char *path;
    uint64_t line;
    size_t room; // of out->item
    char separator;
    size_t fields;           // of the first line
    size_t at[COLUMN_COUNT]; // where a column stands; FIELDS_MAX = nowhere
};

static enum err read_columns(struct reading *reading, char *line, struct err_detail *detail)
{
    char *field[FIELDS_MAX];

    line = csv_begin(line);
    reading->separator = csv_separator(line);
    reading->fields = csv_split(line, reading->separator, field, FIELDS_MAX);
    if (reading->fields > FIELDS_MAX)
        return err_say(detail, ERR_SYNTAX, "%s:1: more than %d columns", reading->path,
                       (int)FIELDS_MAX);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        reading->at[i] = FIELDS_MAX;
    for (size_t i = 0; i < reading->fields; i++) {
        enum column column = column_of(field[i]);

        if (column == COLUMN_COUNT)
            continue;
        if (reading->at[column] != FIELDS_MAX)
            return err_say(detail, ERR_SYNTAX,
                           "%s:1: the columns %zu and %zu (%.40s) are both %s; rename one of them",
                           reading->path, reading->at[column] + 1, i + 1, field[i],
                           column_name(column));
        reading->at[column] = i;
    }
    for (enum column need = 0; need < COLUMN_COUNT; need++) {
        if (column_is_needed(need) && reading->at[need] == FIELDS_MAX)
            return err_say(detail, ERR_SYNTAX,
                           "%s:1: there is no column %s; the first line must name the columns, "
                           "ts, ip and label among them (reeve-load(1), THE FILE)",
                           reading->path, column_name(need));
    }
    return ERR_NONE;
}

// ---- rows

static void clear_message(struct message *message)
{
    mem_free(message->ip);
    mem_free(message->helo);
    mem_free(message->sender);
    mem_free(message->recipient);
    mem_free(message->spf_domain);
}

static struct message *add(struct reading *reading)
{
    struct messages *out = reading->out;

    if (out->count == reading->room) {
        reading->room = reading->room == 0 ? FIRST_ROOM : reading->room * 2;
        out->item = mem_grow(out->item, reading->room, sizeof(*out->item));
    }
    return &out->item[out->count++];
}

static enum err read_row(struct reading *reading, char *line, struct err_detail *detail)
{
    char *field[FIELDS_MAX];
    const char *value[COLUMN_COUNT];
    struct message message = {.line = reading->line};
    size_t count = csv_split(line, reading->separator, field, FIELDS_MAX);
    enum err err = ERR_NONE;

    if (count == 0)
        return err_say(detail, ERR_SYNTAX, "a quote that is not closed");
    if (count != reading->fields)
        return err_say(detail, ERR_SYNTAX, "%zu fields, but the first line names %zu columns",
                       count, reading->fields);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        value[i] = reading->at[i] == FIELDS_MAX ? "" : field[reading->at[i]];
    err = message_fill(&message, value, detail);
    if (err != ERR_NONE) {
        clear_message(&message);
        return err;
    }
    reading->out->spam += message.is_spam;
    *add(reading) = message;
    return ERR_NONE;
}

static enum err read_rows(struct reading *reading, struct lines *lines, bool skip_bad,
                          struct err_detail *detail)
{
    struct messages *out = reading->out;
    struct err_detail why = {""};
    char *line;
    size_t len;

    while (lines_next(lines, &line, &len)) {
        reading->line++;
        if (len == 0 || read_row(reading, line, &why) == ERR_NONE)
            continue;
        if (!skip_bad)
            return err_say(detail, ERR_SYNTAX,
                           "%s:%" PRIu64 ": %s; with --skip-bad such rows are left out",
                           reading->path, reading->line, why.text);
        if (out->left_out++ == 0) {
            out->left_out_line = reading->line;
            out->left_out_why = why;
        }
    }
    return ERR_NONE;
}

// ---- their order, and where they come from

static int by_time(const void *a, const void *b)
{
    const struct message *left = a, *right = b;

    if (left->at_ms != right->at_ms)
        return left->at_ms < right->at_ms ? -1 : 1;
    return left->line < right->line ? -1 : left->line > right->line;
}

static int by_address(const void *a, const void *b)
{
    const struct message *left = *(const struct message *const *)a,
                         *right = *(const struct message *const *)b;
    int order = strcmp(left->ip, right->ip);

    return order != 0 ? order : (left > right) - (left < right);
}

static void name_addresses(struct messages *messages)
{
    struct message **order = mem_new_array(messages->count, sizeof(struct message *));

    for (size_t i = 0; i < messages->count; i++)
        order[i] = &messages->item[i];
    qsort(order, messages->count, sizeof(struct message *), by_address);
    for (size_t i = 0; i < messages->count; i++) {
        order[i]->is_first = i == 0 || strcmp(order[i]->ip, order[i - 1]->ip) != 0;
        messages->addresses += order[i]->is_first;
        order[i]->address = messages->addresses - 1;
    }
    mem_free(order);
}

static enum err finish(const struct reading *reading, struct err_detail *detail)
{
    struct messages *out = reading->out;

    if (out->count == 0 && out->left_out > 0)
        return err_say(detail, ERR_SYNTAX,
                       "%s: no row could be read; the first, line %" PRIu64 ": %s", reading->path,
                       out->left_out_line, out->left_out_why.text);
    if (out->count == 0)
        return err_say(detail, ERR_SYNTAX, "%s: there are no messages in it", reading->path);
    qsort(out->item, out->count, sizeof(*out->item), by_time);
    name_addresses(out);
    return ERR_NONE;
}

enum err messages_read(struct messages *out, const char *path, bool skip_bad,
                       struct err_detail *detail)
{
    struct reading reading = {.out = out, .path = path, .line = 1};
    struct lines *lines = NULL;
    char *line;
    size_t len;

    *out = (struct messages){.item = NULL};
    enum err err = lines_open(&lines, path, detail);

    if (err != ERR_NONE)
        return err;
    if (!lines_next(lines, &line, &len))
        err = err_say(detail, ERR_SYNTAX,
                      "%s: the file is empty; its first line must name the "
                      "columns (reeve-load(1), THE FILE)",
                      path);
    if (err == ERR_NONE)
        err = read_columns(&reading, line, detail);
    if (err == ERR_NONE)
        err = read_rows(&reading, lines, skip_bad, detail);
    if (err == ERR_NONE && lines_trouble(lines) != NULL)
        err = err_say(detail, ERR_SYSTEM, "%s: %s", path, lines_trouble(lines));
    if (err == ERR_NONE)
        err = finish(&reading, detail);
    lines_close(&lines);
    if (err != ERR_NONE)
        messages_clear(out);
    return err;
}

void messages_clear(struct messages *messages)
{
    for (size_t i = 0; i < messages->count; i++)
        clear_message(&messages->item[i]);
    mem_free(messages->item);
    *messages = (struct messages){.item = NULL};
}
