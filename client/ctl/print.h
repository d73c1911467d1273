// print.h: what people and programs get to read: tables, rows of the admin door, verdicts.
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/lib/reeve.h"

// A table is filled cell by cell and printed when its columns' widths are known.
struct table {
    size_t columns;
    size_t count; // cells, the titles included
    char **cell;
};
// table_begin: titles end with NULL.
void table_begin(struct table *table, const char *const *titles);
void table_cell(struct table *table, const char *text);
// table_end: prints it, and frees it. table_drop: only frees it.
void table_end(struct table *table, FILE *out);
void table_drop(struct table *table);

// print_field: the value of a row's field; "" if it has none. print_time: the same of a field that
// is RFC 3339, as when_format writes it, in out.
const char *print_field(const struct reeve_row *row, const char *key);
const char *print_time(const struct reeve_row *row, const char *key, char *out);

// print_row: one `key: value` line a field that is not empty.
void print_row(const struct reeve_row *row, FILE *out);
void print_row_json(struct json *json, const char *key, const struct reeve_row *row);
void print_rows_json(struct json *json, const char *key, const struct reeve_row *rows,
                     size_t count);

// print_action: "accept", "defer", ... ; print_done: "accepted", "deferred", ...
const char *print_action(enum reeve_action action);
const char *print_done(const char *action);
void print_verdict_json(struct json *json, const char *key, const struct reeve_verdict *verdict);
