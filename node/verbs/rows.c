// rows.c: rows of an admin reply. Promises: what does not fit is left out and full says so; no
// heap.
#include "node/verbs/rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void rows_init(struct rows *rows, struct arena *arena)
{
    *rows = (struct rows){.arena = arena,
                          .row = arena_zalloc(arena, ROWS_MAX * sizeof(struct msg_row))};
    rows->full = rows->row == NULL;
}

void rows_add(struct rows *rows)
{
    struct msg_pair *fields = arena_zalloc(rows->arena, ROW_FIELDS_MAX * sizeof(*fields));

    if (rows->full || fields == NULL || rows->count == ROWS_MAX) {
        rows->full = true;
        return;
    }
    rows->row[rows->count++] = (struct msg_row){.fields = fields};
}

void rows_set(struct rows *rows, size_t row, const char *key, const char *text)
{
    char *copy = arena_text(rows->arena, text, strlen(text));

    if (row >= rows->count || copy == NULL || rows->row[row].field_count == ROW_FIELDS_MAX) {
        rows->full = true;
        return;
    }
    struct msg_row *into = &rows->row[row];
    // The fields were made here, in rows_add; the struct that is sent only reads them.
    struct msg_pair *fields = (struct msg_pair *)(uintptr_t)into->fields;

    fields[into->field_count++] = (struct msg_pair){key, copy};
}

void rows_field(struct rows *rows, const char *key, const char *fmt, ...)
{
    char text[MSG_ADMIN_ARG_MAX];
    va_list args;

    if (rows->full || rows->count == 0)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    rows_set(rows, rows->count - 1, key, text);
}

void rows_time(struct rows *rows, const char *key, uint64_t at_ms)
{
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm utc;
    char stamp[32];

    if (at_ms == 0 || gmtime_r(&seconds, &utc) == NULL ||
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        rows_field(rows, key, "%s", "");
        return;
    }
    rows_field(rows, key, "%s.%03uZ", stamp, (unsigned)(at_ms % 1000));
}
