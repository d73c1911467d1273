// mirror.h: recipients for whom mail is expected, as a node mirrors them in memory: so a lookup
// costs no command, and what was said holds while the store is away. Pure: a bounded table in the
// order of recipients, and the form in which the store keeps a row.
//
//     expect:{p}   field = "<recipient> <until_ms>"    value = "<since_ms> <note>"
//
// The moment stands in the field, so no two say anything about one field: one that is over can be
// removed by anybody at any time, and never takes a later one with it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"
#include "proto/mail.h"

enum {
    EXPECT_MAX = 10000, // recipients; one more, and the one that ends first gives way
    EXPECT_RECIPIENT_MAX = MAIL_ADDRESS_MAX + MAIL_DOMAIN_MAX,
    EXPECT_FIELD_MAX = EXPECT_RECIPIENT_MAX + 22, // blank, 20 digits, terminator
    EXPECT_VALUE_MAX = EXPECT_NOTE_MAX + 22,
};
#define EXPECT_KEY "expect:{p}"

// Zeroed = empty.
struct mirror {
    struct expectation *item; // by recipient; texts are its own
    size_t count, room;
};

void mirror_clear(struct mirror *mirror); // frees what it holds
// mirror_find: NULL if there is none.
const struct expectation *mirror_find(const struct mirror *mirror, const char *recipient);
// mirror_set: takes a copy, instead of what is there of the recipient.
void mirror_set(struct mirror *mirror, const struct expectation *row);
// mirror_append, mirror_settle: many at once, in any order, into a table that was empty; settled, it
// is in order, and of two rows of one recipient the one that ends later is left. False: it is full.
bool mirror_append(struct mirror *mirror, const struct expectation *row);
void mirror_settle(struct mirror *mirror);
void mirror_remove(struct mirror *mirror, const char *recipient);
// mirror_first_to_end: who gives way; NULL if it is empty.
const struct expectation *mirror_first_to_end(const struct mirror *mirror);
// mirror_page: copies of the rows (their texts stay the table's) behind the recipient after, that
// are not over at now_ms.
size_t mirror_page(const struct mirror *mirror, const char *after, uint64_t now_ms,
                   struct expectation *out, size_t max);

// mirror_field, mirror_value: a row as it is stored.
void mirror_field(const struct expectation *row, char out[EXPECT_FIELD_MAX]);
void mirror_value(const struct expectation *row, char out[EXPECT_VALUE_MAX]);
// mirror_read: a stored row, or false if that is none. recipient is memory for it; the note is the
// value's.
bool mirror_read(const char *field, const char *value, char recipient[EXPECT_RECIPIENT_MAX + 1],
                 struct expectation *out);
// mirror_is_sound: may this be believed, kept and shown?
bool mirror_is_sound(const struct expectation *row);
