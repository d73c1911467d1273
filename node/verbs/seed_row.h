// seed_row.h: the documents of grey.seed, allow.seed and managed.import, line by line: what passed at another greylist, or
// stands in a mail log as delivered; who wrote to whom; and entries of personal lists.
//
//     1767592800000 TAB 192.0.2.1 TAB mx.sender.example TAB ann@sender.example TAB bob@corp.example LF
//     last seen in  client: an    its confirmed name,   envelope sender,       envelope recipient
//     Unix ms       address or    or nothing            nothing or <> = the
//                   a network                           null sender
//
//     1767592800000 TAB bob@corp.example TAB ann@sender.example LF
//     sent in       who wrote: his       to whom: an
//     Unix ms       login or address     external address
//
//     0 TAB bob@corp.example TAB spam.example TAB block TAB he asked for it LF
//     until  whose list: his     a pattern        permit    note, or nothing
//     Unix ms   address                           or block
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/mem.h"

enum { SEED_ROWS_MAX = 2000, SEED_LINE_MAX = 2048 };

// Texts are clean (text.h), live in the arena, and are never NULL.
struct seed_row {
    uint64_t at_ms;
    const char *client, *name, *sender, *recipient;
};

// What is left of a document. Borrowed bytes of any kind.
struct seed_rows {
    const char *at;
    size_t left;
    size_t line; // of the row that was read last, from 1
};

enum seed_read { SEED_END, SEED_ROW, SEED_NO_ROW };

// seed_row_next: the next line that is not empty. SEED_NO_ROW: it is no row, and *why (static)
// says what it lacks; the one after it can be read. A full arena makes a line malformed, too.
enum seed_read seed_row_next(struct seed_rows *rows, struct arena *arena, struct seed_row *out,
                             const char **why);

// Likewise of allow.seed.
struct seed_pair {
    uint64_t at_ms;
    const char *owner, *external;
};
enum seed_read seed_pair_next(struct seed_rows *rows, struct arena *arena, struct seed_pair *out,
                              const char **why);

// Likewise of managed.import. until_ms 0 = for ever.
struct seed_entry {
    uint64_t until_ms;
    const char *user, *pattern, *action, *note;
};
enum seed_read seed_entry_next(struct seed_rows *rows, struct arena *arena, struct seed_entry *out,
                               const char **why);

// seed_rows_count: lines that are not empty.
size_t seed_rows_count(const struct seed_rows *rows);
