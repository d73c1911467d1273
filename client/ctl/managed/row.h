// row.h: entries of personal lists as comma-separated values. Pure.
//
//     user,pattern,action,until,note
//     ann@corp.example,spam.example,block,,"he, again"
//     ann@corp.example,.partner.example,permit,2027-01-31,
//
// A first line that names the columns puts them into any order, and those with other names are passed over (so what
// `managed list --csv` prints can be read again); without one they stand as above, and the last two may be missing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum row_column { ROW_USER, ROW_PATTERN, ROW_ACTION, ROW_UNTIL, ROW_NOTE, ROW_COLUMNS };
enum { ROW_FIELDS_MAX = 32 };

// Where each column stands; -1 = nowhere.
struct row_columns {
    int at[ROW_COLUMNS];
};

// row_columns_read: the first line. True: it names the columns, and is no entry. What lacks is *why (static), else NULL.
bool row_columns_read(char *const *field, size_t count, struct row_columns *out, const char **why);

struct row {
    const char *user, *pattern; // of any bytes, never NULL
    const char *action;         // permit, block
    const char *note;
    uint64_t until_ms; // 0 = for ever
};

// row_read: false, and *why (static) says what is wrong. Texts are borrowed from the fields.
bool row_read(const struct row_columns *columns, char *const *field, size_t count, uint64_t now_ms,
              struct row *out, const char **why);
