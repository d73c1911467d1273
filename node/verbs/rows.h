// rows.h: an admin reply under construction: rows of named texts in a seat's arena.
#pragma once

#include "proto/base/mem.h"
#include "proto/msg.h"

enum { ROWS_MAX = 1000, ROW_FIELDS_MAX = 32 };

struct rows {
    struct arena *arena;
    struct msg_row *row; // ROWS_MAX
    size_t count;
    bool full; // more rows or fields than there is room for: the reply says so
};

// rows_init: takes the arena's memory for ROWS_MAX rows; full at once if there is none.
void rows_init(struct rows *rows, struct arena *arena);
// rows_add: begins a row; rows_field: adds a field to the last one. key must outlive the reply; the
// text is copied.
void rows_add(struct rows *rows);
void rows_field(struct rows *rows, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
// rows_time: a field with a time as RFC 3339 in UTC with milliseconds; 0 = "".
void rows_time(struct rows *rows, const char *key, uint64_t at_ms);
// rows_set: a further field of a row that was added before.
void rows_set(struct rows *rows, size_t row, const char *key, const char *text);
